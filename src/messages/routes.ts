import { Elysia, t } from "elysia";
import { type Dependencies, guard } from "../auth/guard.ts";
import { messagesChanged, roomChanged } from "../live/hints.ts";
import { invalid } from "../problem.ts";
import { integer, MAX_ID, nullable, pathId, text } from "../schema.ts";
import type { Outgoing } from "./outgoing.ts";
import { deleteMessage, editMessage, findMessage, listMessages } from "./queries.ts";
import { pathEmoji, setReaction } from "./reactions.ts";

const messageBody = text({
  minLength: 1,
  maxLength: 10_000,
  description:
    "The text. `@handle` of a member mentions them, in either case, wherever no word goes on before it",
});
const clientId = text({
  minLength: 1,
  maxLength: 64,
  pattern: "^[\\x20-\\x7e]{1,64}$",
  description: "takes 1 to 64 printable ASCII characters",
});
const seq = (minimum: number) => t.Optional(t.Integer({ minimum, maximum: MAX_ID }));

/** The messages of a room. */
export function messageRoutes({
  db,
  callers,
  config,
  announce,
  outgoing,
}: Dependencies & { outgoing: Outgoing }) {
  /** Puts a reaction on a message, or takes it away. @returns the message as it is now */
  async function react(callerId: number, path: { id: string; seq: string; emoji: string }, on: boolean) {
    const roomId = pathId(path.id, "room");
    const seq = pathId(path.seq, "message");
    const emoji = pathEmoji(path.emoji);
    const { message, isChange } = await db.transaction((tx) =>
      setReaction(tx, callerId, roomId, seq, emoji, on),
    );
    if (isChange) announce(messagesChanged(roomId));
    return message;
  }

  return new Elysia({ prefix: "/rooms/:id/messages", tags: ["Messages"] })
    .use(guard(callers, config))
    .get(
      "/",
      ({ caller, params, query }) => {
        const ways = [query.before, query.after, query.around].filter((way) => way !== undefined);
        if (ways.length > 1) throw invalid("/before", "goes without after and around");
        return listMessages(db.sql, caller.id, pathId(params.id, "room"), query);
      },
      {
        query: t.Object({
          limit: t.Integer({ minimum: 1, maximum: 200, default: 50 }),
          before: seq(1),
          after: seq(0),
          around: seq(0),
        }),
        detail: { summary: "A page of messages, ascending; the newest one if no way is named" },
      },
    )
    .post(
      "/",
      async ({ caller, params, body, set }) => {
        const { message, isNew } = await outgoing.send({
          roomId: pathId(params.id, "room"),
          senderId: caller.id,
          body: body.body,
          clientId: body.clientId ?? null,
          replyTo: body.replyTo ?? null,
        });
        set.status = isNew ? 201 : 200;
        return message;
      },
      {
        body: t.Object({
          body: messageBody,
          clientId: t.Optional(nullable(clientId)),
          replyTo: t.Optional(nullable(integer({ minimum: 1 }))),
        }),
        detail: { summary: "Send a message; the same clientId again gives the same message" },
      },
    )
    .get(
      "/:seq",
      ({ caller, params }) =>
        findMessage(db.sql, caller.id, pathId(params.id, "room"), pathId(params.seq, "message")),
      { detail: { summary: "One message" } },
    )
    .patch(
      "/:seq",
      async ({ caller, params, body }) => {
        const roomId = pathId(params.id, "room");
        const seq = pathId(params.seq, "message");
        const message = await db.transaction((tx) => editMessage(tx, caller.id, roomId, seq, body.body));
        announce(roomChanged(roomId));
        return message;
      },
      { body: t.Object({ body: messageBody }), detail: { summary: "Edit a message (its sender)" } },
    )
    .delete(
      "/:seq",
      async ({ caller, params, set }) => {
        const roomId = pathId(params.id, "room");
        const seq = pathId(params.seq, "message");
        await db.transaction((tx) => deleteMessage(tx, caller.id, roomId, seq));
        announce(roomChanged(roomId));
        set.status = 204;
      },
      { detail: { summary: "Delete a message (its sender, a moderator, an owner)" } },
    )
    .put("/:seq/reactions/:emoji", ({ caller, params }) => react(caller.id, params, true), {
      detail: { summary: "React to a message" },
    })
    .delete(
      "/:seq/reactions/:emoji",
      async ({ caller, params, set }) => {
        await react(caller.id, params, false);
        set.status = 204;
      },
      { detail: { summary: "Take my reaction away" } },
    );
}
