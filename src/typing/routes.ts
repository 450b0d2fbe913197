import { Elysia } from "elysia";
import { type Dependencies, guard } from "../auth/guard.ts";
import { pathId } from "../schema.ts";
import type { Typists } from "./typists.ts";

/** `POST /rooms/:id/typing`. */
export const typingRoutes = ({ callers, config, typists }: Dependencies & { typists: Typists }) =>
  new Elysia({ prefix: "/rooms/:id/typing", tags: ["Messages"] }).use(guard(callers, config)).post(
    "/",
    async ({ caller, params, set }) => {
      await typists.type(caller.id, pathId(params.id, "room"));
      set.status = 204;
    },
    {
      detail: {
        summary: "Tell the room that I type, for five seconds; more than once a second changes nothing",
      },
    },
  );
