import { Elysia, t } from "elysia";
import type { Dependencies } from "../auth/guard.ts";
import { hashPassword } from "../auth/passwords.ts";
import { newPassword } from "../auth/secrets.ts";
import { credentialEnded, roomChanged, userChanged } from "../live/hints.ts";
import { MAX_ID, pathId, text } from "../schema.ts";
import { listActs } from "./audit.ts";
import { adminGuard } from "./gate.ts";
import * as queries from "./queries.ts";

const page = {
  q: t.Optional(text({ minLength: 0, maxLength: 100 })),
  limit: t.Integer({ minimum: 1, maximum: 200, default: 50 }),
  after: t.Integer({ minimum: 0, maximum: MAX_ID, default: 0 }),
};

/** What only administrators may; for everybody else there is nothing here (gate.ts). */
export function adminRoutes({ db, callers, config, announce }: Dependencies) {
  const { sql } = db;

  /** One more than is asked for tells whether something follows. */
  function paged<T extends { id: number }>(rows: T[], limit: number) {
    const shown = rows.slice(0, limit);
    return { shown, next: rows.length > limit ? (shown.at(-1)?.id ?? null) : null };
  }

  return new Elysia({ prefix: "/admin", tags: ["Administration"] })
    .use(adminGuard(callers, config))
    .get(
      "/users",
      async ({ query: { q = "", after, limit } }) => {
        const { shown, next } = paged(await queries.listAccounts(sql, { q, after, limit: limit + 1 }), limit);
        return { users: shown, after: next };
      },
      { query: t.Object(page), detail: { summary: "Everybody, the deactivated included" } },
    )
    .patch(
      "/users/:id",
      async ({ actor, params, body }) => {
        const userId = pathId(params.id, "user");
        const { account, ended } = await db.transaction((tx) =>
          queries.changeAccount(tx, actor, userId, body),
        );
        announce(userChanged(userId), ...ended.map(credentialEnded));
        return account;
      },
      {
        body: t.Object({ deactivated: t.Optional(t.Boolean()), administrator: t.Optional(t.Boolean()) }),
        detail: {
          summary: "Deactivate or reactivate a user, or make them an administrator or none any more",
        },
      },
    )
    .post(
      "/users/:id/password",
      async ({ actor, params, set }) => {
        const userId = pathId(params.id, "user");
        const password = newPassword();
        const hash = await hashPassword(password);
        const ended = await db.transaction((tx) => queries.resetPassword(tx, actor, userId, hash));
        announce(...ended.map(credentialEnded));
        set.status = 201;
        return { password };
      },
      { detail: { summary: "Give a user another password, shown this once; their sessions end" } },
    )
    .delete(
      "/users/:id/credentials",
      async ({ actor, params, set }) => {
        const userId = pathId(params.id, "user");
        const ended = await db.transaction((tx) => queries.endAllCredentials(tx, actor, userId));
        announce(...ended.map(credentialEnded));
        set.status = 204;
      },
      { detail: { summary: "End every session and token of a user, with their streams" } },
    )
    .get(
      "/rooms",
      async ({ query: { q = "", after, limit } }) => {
        const { shown, next } = paged(await queries.listAllRooms(sql, { q, after, limit: limit + 1 }), limit);
        return { rooms: shown, after: next };
      },
      { query: t.Object(page), detail: { summary: "Every room, without what is said in it" } },
    )
    .delete(
      "/rooms/:id",
      async ({ actor, params, set }) => {
        const roomId = pathId(params.id, "room");
        await db.transaction((tx) => queries.closeRoom(tx, actor, roomId));
        announce(roomChanged(roomId));
        set.status = 204;
      },
      { detail: { summary: "Remove a room with its messages" } },
    )
    .get(
      "/audit",
      async ({ query: { before, limit } }) => {
        const { shown, next } = paged(await listActs(sql, { before, limit: limit + 1 }), limit);
        return { acts: shown, before: next };
      },
      {
        query: t.Object({
          limit: page.limit,
          before: t.Integer({ minimum: 1, maximum: MAX_ID, default: MAX_ID }),
        }),
        detail: { summary: "What administrators did, newest first" },
      },
    );
}
