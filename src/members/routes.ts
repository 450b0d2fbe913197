import { Elysia, t } from "elysia";
import { type Dependencies, guard } from "../auth/guard.ts";
import { markerMoved, membershipChanged, roomChanged } from "../live/hints.ts";
import { pathId, words } from "../schema.ts";
import { listMembers, putMember, removeMember, setInvolvement } from "./queries.ts";

/** Who is in a room, and as what. */
export function memberRoutes({ db, callers, config, announce }: Dependencies) {
  /** A person's id out of the path; `me` is the caller. */
  const personId = (given: string, callerId: number) => (given === "me" ? callerId : pathId(given, "user"));

  return new Elysia({ prefix: "/rooms/:id/members", tags: ["Members"] })
    .use(guard(callers, config))
    .get(
      "/",
      async ({ caller, params }) => ({
        members: await listMembers(db.sql, caller.id, pathId(params.id, "room")),
      }),
      { detail: { summary: "The members of a room" } },
    )
    .put(
      "/:userId",
      async ({ caller, params, body }) => {
        const roomId = pathId(params.id, "room");
        const userId = personId(params.userId, caller.id);
        const member = await db.transaction((tx) => putMember(tx, caller, roomId, userId, body?.role));
        announce(roomChanged(roomId), markerMoved(userId, roomId));
        return member;
      },
      {
        body: t.Optional(t.Object({ role: t.Optional(words("owner", "moderator", "member")) })),
        detail: { summary: "Add a member or change a role; `me` joins an open room" },
      },
    )
    .patch(
      "/me",
      async ({ caller, params, body }) => {
        const roomId = pathId(params.id, "room");
        const member = await setInvolvement(db.sql, caller.id, roomId, body.involvement);
        announce(membershipChanged(caller.id, roomId));
        return member;
      },
      {
        body: t.Object({ involvement: words("all", "mentions", "none") }),
        detail: { summary: "What I want to be told of" },
      },
    )
    .delete(
      "/:userId",
      async ({ caller, params, set }) => {
        const roomId = pathId(params.id, "room");
        const userId = personId(params.userId, caller.id);
        await db.transaction((tx) => removeMember(tx, caller, roomId, userId));
        announce(membershipChanged(userId, roomId), roomChanged(roomId));
        set.status = 204;
      },
      { detail: { summary: "Remove a member; `me` leaves" } },
    );
}
