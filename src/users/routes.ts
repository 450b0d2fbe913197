import { Elysia, t } from "elysia";
import { type Dependencies, guard } from "../auth/guard.ts";
import { roomChanged, userChanged } from "../live/hints.ts";
import { personName, text } from "../schema.ts";
import { findUsers, renameUser } from "./queries.ts";

/** People: finding them, and renaming oneself. */
export const userRoutes = ({ db, callers, config, announce }: Dependencies) =>
  new Elysia({ prefix: "/users", tags: ["Identity"] })
    .use(guard(callers, config))
    .get("/", async ({ query }) => ({ users: await findUsers(db.sql, query.q ?? "", query.limit) }), {
      query: t.Object({
        q: t.Optional(text({ minLength: 0, maxLength: 100 })),
        limit: t.Integer({ minimum: 1, maximum: 100, default: 20 }),
      }),
      detail: { summary: "Find people by the start of their handle, or of a word of their name" },
    })
    .get("/me", ({ caller: { id, handle, name } }) => ({ id, handle, name }), { detail: { summary: "Me" } })
    .patch(
      "/me",
      async ({ caller, body }) => {
        const { user, rooms } = await db.transaction((tx) => renameUser(tx, caller.id, body.name.trim()));
        announce(userChanged(caller.id), ...rooms.map(roomChanged));
        return user;
      },
      { body: t.Object({ name: personName }), detail: { summary: "Rename me" } },
    );
