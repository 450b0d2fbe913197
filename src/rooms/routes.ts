import { Elysia, t } from "elysia";
import { type Dependencies, guard, type Spent } from "../auth/guard.ts";
import { roomsJson } from "../live/frame.ts";
import { markerMoved, membershipChanged, roomChanged } from "../live/hints.ts";
import { invalid } from "../problem.ts";
import { integer, MAX_ID, nullable, pathId, text, VISIBLE, words } from "../schema.ts";
import type { Cursors } from "./cursor.ts";
import { findRoom, listRooms } from "./list.ts";
import * as queries from "./queries.ts";
import { explainUnread, markAllRead, markRead, markUnread } from "./read.ts";

/** People in a direct room, and people added with a new room. */
const MOST_IN_DIRECT = 20;
const MOST_AT_ONCE = 1_000;

const roomName = text({
  minLength: 1,
  maxLength: 100,
  pattern: VISIBLE,
  description: "takes 1 to 100 characters, some of them to be seen",
});
const topic = nullable(text({ minLength: 1, maxLength: 500 }));
const seq = t.Object({ seq: integer({ minimum: 0 }) });

/** `Server-Timing` of the list: how long the database took, in how many statements. */
const serverTiming = (spent: Spent): string =>
  `db;dur=${spent.ms.toFixed(2)};desc="${spent.statements} ${spent.statements === 1 ? "query" : "queries"}"`;

/** An answer that is JSON already. */
function asJson(set: { headers: Record<string, string | number> }, json: string): string {
  set.headers["content-type"] = "application/json;charset=utf-8"; // as Elysia has it elsewhere
  return json;
}

/** The room list, rooms, and read markers. */
export function roomRoutes({ db, callers, config, cursors, announce }: Dependencies & { cursors: Cursors }) {
  const { sql } = db;

  return new Elysia({ prefix: "/rooms", tags: ["Rooms"] })
    .use(guard(callers, config))
    .get(
      "/",
      async ({ caller, spent, query, set }) => {
        const { since, limit, after, unread } = query;
        if (since !== undefined && (limit ?? after ?? unread) !== undefined) {
          throw invalid("/since", "goes alone: what changed is always told whole");
        }
        const started = performance.now();
        const { cursor, asked } = await listRooms(
          sql,
          cursors,
          [{ userId: caller.id, roomId: null, since: since ?? "" }],
          { limit, after, unread },
        );
        spent.statements++;
        spent.ms += performance.now() - started;
        set.headers["server-timing"] = serverTiming(spent);
        const { entries = [], reset = true } = asked[0] ?? {};
        return asJson(set, roomsJson(cursor, entries, reset));
      },
      {
        query: t.Object({
          since: t.Optional(t.String({ description: "A cursor: only what changed since" })),
          limit: t.Optional(t.Integer({ minimum: 1, maximum: 10_000 })),
          after: t.Optional(
            t.Integer({ minimum: 1, maximum: MAX_ID, description: "A room's id: only what follows it" }),
          ),
          unread: t.Optional(t.Boolean({ description: "Only rooms with something unread" })),
        }),
        detail: { summary: "The room list: every room with its last message and unread count" },
      },
    )
    .post(
      "/",
      async ({ caller, body, set }) => {
        const direct = body.kind === "direct";
        const name = body.name?.trim() ?? null;
        if (!direct && name === null) throw invalid("/name", "an open or closed room must have one");
        const memberIds = body.members ?? [];
        if (direct && new Set([caller.id, ...memberIds]).size > MOST_IN_DIRECT) {
          throw invalid("/members", `a direct room takes ${MOST_IN_DIRECT} people at most`);
        }
        const room = await queries.createRoom(sql, caller.id, {
          kind: body.kind,
          name: direct ? null : name,
          topic: direct ? null : (body.topic ?? null),
          memberIds,
        });
        if (room.isNew) announce(...room.memberIds.map((userId) => membershipChanged(userId, room.id)));
        set.status = room.isNew ? 201 : 200;
        return asJson(set, await findRoom(sql, cursors, caller.id, room.id));
      },
      {
        body: t.Object({
          kind: words("open", "closed", "direct"),
          name: t.Optional(nullable(roomName)),
          topic: t.Optional(topic),
          members: t.Optional(t.Array(integer({ minimum: 1 }), { maxItems: MOST_AT_ONCE })),
        }),
        detail: { summary: "Make a room; of the same people there is one direct room" },
      },
    )
    .get(
      "/open",
      async ({ caller, query }) => {
        // One more than is asked for tells whether something follows.
        const rooms = await queries.listOpenRooms(sql, caller.id, {
          q: query.q ?? "",
          after: query.after,
          limit: query.limit + 1,
        });
        const page = rooms.slice(0, query.limit);
        return { rooms: page, after: rooms.length > page.length ? (page.at(-1)?.id ?? null) : null };
      },
      {
        query: t.Object({
          q: t.Optional(text({ minLength: 0, maxLength: 100 })),
          limit: t.Integer({ minimum: 1, maximum: 200, default: 50 }),
          after: t.Integer({ minimum: 0, maximum: MAX_ID, default: 0 }),
        }),
        detail: { summary: "Open rooms to find and join" },
      },
    )
    .put(
      "/read",
      async ({ caller, query: { since }, set }) => {
        const read = await markAllRead(sql, caller.id);
        announce(...read.map((roomId) => markerMoved(caller.id, roomId)));
        const asks =
          since === undefined
            ? read.map((roomId) => ({ userId: caller.id, roomId, since: "" }))
            : [{ userId: caller.id, roomId: null, since }];
        const { cursor, asked } = await listRooms(sql, cursors, asks);
        const entries = asked.flatMap(({ entries }) => entries);
        entries.sort((a, b) =>
          a.activeAt === b.activeAt ? b.roomId - a.roomId : a.activeAt < b.activeAt ? 1 : -1,
        );
        // Without a cursor to go on from, only these rooms were looked at: what else has changed is not behind us.
        const upto = since === undefined ? cursors.beginning() : cursor;
        return asJson(set, roomsJson(upto, entries, since !== undefined && asked[0]?.reset === true));
      },
      {
        query: t.Object({
          since: t.Optional(
            t.String({ description: "A cursor: the answer is all that changed since, these rooms included" }),
          ),
        }),
        detail: { summary: "Read everything" },
      },
    )
    .get(
      "/:id",
      async ({ caller, params, set }) =>
        asJson(set, await findRoom(sql, cursors, caller.id, pathId(params.id, "room"))),
      { detail: { summary: "One room" } },
    )
    .patch(
      "/:id",
      async ({ caller, params, body, set }) => {
        const roomId = pathId(params.id, "room");
        const change = { ...body, ...(body.name === undefined ? {} : { name: body.name.trim() }) };
        await db.transaction((tx) => queries.changeRoom(tx, caller, roomId, change));
        announce(roomChanged(roomId));
        return asJson(set, await findRoom(sql, cursors, caller.id, roomId));
      },
      {
        body: t.Object({
          name: t.Optional(roomName),
          topic: t.Optional(topic),
          kind: t.Optional(words("open", "closed")),
        }),
        detail: { summary: "Change a room's name, topic or kind (owner, moderator)" },
      },
    )
    .delete(
      "/:id",
      async ({ caller, params, set }) => {
        const roomId = pathId(params.id, "room");
        await db.transaction((tx) => queries.removeRoom(tx, caller.id, roomId));
        announce(roomChanged(roomId));
        set.status = 204;
      },
      { detail: { summary: "Remove a room with its messages (owner)" } },
    )
    .put(
      "/:id/read",
      async ({ caller, params, body, set }) => {
        const roomId = pathId(params.id, "room");
        await markRead(sql, caller.id, roomId, body.seq);
        announce(markerMoved(caller.id, roomId));
        return asJson(set, await findRoom(sql, cursors, caller.id, roomId));
      },
      { body: seq, detail: { summary: "Read a room up to a message; only ever forward" } },
    )
    .get("/:id/unread", ({ caller, params }) => explainUnread(sql, caller.id, pathId(params.id, "room")), {
      detail: { summary: "Why the unread count is what it is" },
    })
    .put(
      "/:id/unread",
      async ({ caller, params, body, set }) => {
        const roomId = pathId(params.id, "room");
        await db.transaction((tx) => markUnread(tx, caller.id, roomId, body.seq));
        announce(markerMoved(caller.id, roomId));
        return asJson(set, await findRoom(sql, cursors, caller.id, roomId));
      },
      {
        body: t.Object({ seq: integer({ minimum: 1 }) }),
        detail: { summary: "Mark a room unread from a message on" },
      },
    );
}
