import { Elysia, t } from "elysia";
import { type Dependencies, guard } from "../auth/guard.ts";
import { MAX_ID, text } from "../schema.ts";
import { PLACE, searchMessages } from "./queries.ts";

/** Finding messages by their words. */
export const searchRoutes = ({ db, callers, config }: Dependencies) =>
  new Elysia({ prefix: "/search", tags: ["Messages"] })
    .use(guard(callers, config))
    .get("/", ({ caller, query }) => searchMessages(db.sql, caller.id, query), {
      query: t.Object({
        q: text({
          minLength: 1,
          maxLength: 200,
          description:
            'takes 1 to 200 characters: whole words, of which all must be there (case does not count, accents do), "a phrase in quotes", a or b, -without; something must be asked for besides what must not be there',
        }),
        room: t.Optional(t.Integer({ minimum: 1, maximum: MAX_ID, description: "Only in this room" })),
        before: t.Optional(
          text({
            minLength: 1,
            maxLength: 64,
            pattern: PLACE,
            description: "takes the `before` of the page that this one follows",
          }),
        ),
        limit: t.Integer({ minimum: 1, maximum: 100, default: 20 }),
      }),
      detail: {
        summary: "Search my rooms, newest first: words, “phrases in quotes”, or, -without",
      },
    });
