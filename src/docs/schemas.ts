import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { ACTS, type AuditedAct } from "../admin/audit.ts";
import type { Account, RoomAccount } from "../admin/queries.ts";
import type { Session, Token, User } from "../auth/queries.ts";
import { SIGNUPS } from "../config.ts";
import type { Member } from "../members/queries.ts";
import type { listMessages, Message } from "../messages/queries.ts";
import type { Peer } from "../presence/queries.ts";
import type { problemDocument } from "../problem.ts";
import type { Room } from "../rooms/list.ts";
import type { OpenRoom } from "../rooms/queries.ts";
import type { UnreadExplained } from "../rooms/read.ts";
import { nullable, words } from "../schema.ts";
import type { FoundMessage } from "../search/queries.ts";

/** A type as it comes over the wire: dates are text. */
type Json<T> = T extends Date ? string : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
/** A schema that promises what a reply of type T has. */
type Describes<T> = TSchema & { static: Json<T> };

const PREFIX = "#/components/schemas/";

/** A schema with a name: it goes into the document once, under `components`. */
const named = <T extends TSchema>(name: string, schema: T): T => ({ ...schema, $id: PREFIX + name });

/** Wherever it is used, its name stands for it. */
const ref = <T extends TSchema>(schema: T) => Type.Unsafe<Static<T>>(Type.Ref(schema.$id as string));

const id = (description: string) => Type.Integer({ minimum: 1, description });
const seq = (description: string) => Type.Integer({ minimum: 0, description });
const count = (description: string) => Type.Integer({ minimum: 0, description });
const text = (description: string) => Type.String({ description });
const time = (description: string) =>
  Type.String({ pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$", description });
const oneOf = <T extends string>(description: string, ...values: T[]) =>
  Type.Unsafe<T>({ ...words(...values), description });

export const problem = named(
  "Problem",
  Type.Object(
    {
      type: Type.String(),
      title: Type.String(),
      status: Type.Integer(),
      detail: text("For people"),
      code: text("For programs: a stable word"),
      errors: Type.Optional(
        Type.Array(
          Type.Object({
            path: text("A JSON pointer into the body, the query or the path's parameters"),
            message: Type.String(),
          }),
        ),
      ),
    },
    { description: "An RFC 9457 problem document" },
  ),
) satisfies Describes<ReturnType<typeof problemDocument>>;

export const user = named(
  "User",
  Type.Object({ id: id("A user's id"), handle: Type.String(), name: Type.String() }),
) satisfies Describes<User>;

export const peer = named(
  "Peer",
  Type.Object({
    ...user.properties,
    online: Type.Boolean({
      description:
        "Whether they have a stream or socket open, on any server; until 5 s after the last one closed",
    }),
  }),
) satisfies Describes<Peer>;

export const madeToken = named(
  "NewToken",
  Type.Object({
    id: id("A token's id"),
    name: Type.String(),
    token: text("The secret; it is shown this once"),
    createdAt: time("When it was made"),
  }),
);

export const madeInvite = named(
  "NewInvite",
  Type.Object({
    id: id("An invite's id"),
    invite: text("For `POST /users`; it is shown this once"),
    link: text("Where the page takes it"),
    expiresAt: time("When it counts no more"),
  }),
);

export const token = named(
  "Token",
  Type.Object({
    id: id("A token's id"),
    name: Type.String(),
    createdAt: time("When it was made"),
    lastUsedAt: nullable(time("When it was last used, to the hour")),
  }),
) satisfies Describes<Token>;

export const session = named(
  "Session",
  Type.Object({
    id: id("A session's id"),
    device: nullable(text("What it was made by, as that says of itself: `Firefox, Linux`, `curl`")),
    createdAt: time("When it was made"),
    lastUsedAt: time("When it was last used, to the hour"),
    expiresAt: time("When it ends if it is not used any more"),
    current: Type.Boolean({ description: "Whether it is the one that asks" }),
  }),
) satisfies Describes<Session>;

const role = oneOf("The asking member's own", "owner", "moderator", "member");
const involvement = oneOf("What the member wants to be told of", "all", "mentions", "none");

export const room = named(
  "Room",
  Type.Object(
    {
      id: id("A room's id"),
      kind: oneOf("Anyone may join, by invitation, or between its members", "open", "closed", "direct"),
      name: nullable(text("null in a direct room")),
      topic: nullable(Type.String()),
      role,
      involvement,
      lastSeq: seq("Of the newest message of any kind"),
      lastReadSeq: seq("The member's read marker"),
      unreadCount: count(
        "Text messages after the marker that are not deleted and not the member's own; exact",
      ),
      mentionCount: count("Those of them that mention the member; in a direct room all of them"),
      markedUnread: Type.Boolean({ description: "Marked unread by hand, until next read" }),
      lastMessage: nullable(
        Type.Object({
          seq: seq("Its number in the room"),
          sender: ref(user),
          body: text("The first 300 characters, then …"),
          createdAt: time("When it was sent"),
          editedAt: nullable(time("When it was last edited")),
        }),
      ),
      activeAt: time("Of the last message, or the room's creation: the order of the list"),
      memberCount: count("Members, the asking one included"),
      peers: nullable(Type.Array(ref(peer), { description: "In a direct room: the other members" })),
    },
    { description: "A room as the asking member sees it" },
  ),
) satisfies Describes<Room>;

export const roomList = named(
  "RoomList",
  Type.Object({
    cursor: text("For `since`, and for a stream's `Last-Event-ID`"),
    rooms: Type.Array(ref(room), { description: "Newest activity first" }),
    left: Type.Array(id("Of a room that is no longer the member's")),
    reset: Type.Boolean({ description: "Whether this replaces all that the client holds" }),
  }),
);

export const openRoom = named(
  "OpenRoom",
  Type.Object({
    id: id("A room's id"),
    name: Type.String(),
    topic: nullable(Type.String()),
    memberCount: count("Members"),
    joined: Type.Boolean({ description: "Whether the asking user is one of them" }),
  }),
) satisfies Describes<OpenRoom>;

export const openRooms = Type.Object({
  rooms: Type.Array(ref(openRoom)),
  after: nullable(id("For the next page; null: this is the last")),
});

export const unread = named(
  "Unread",
  Type.Object({
    unreadCount: count("As in the room"),
    firstUnreadSeq: nullable(seq("The first message that counts")),
    skipped: Type.Object({
      own: count("The member's own"),
      deleted: count("Deleted ones"),
      system: count("What the server told"),
    }),
  }),
) satisfies Describes<UnreadExplained>;

export const member = named(
  "Member",
  Type.Object({
    user: ref(peer),
    role: oneOf("In this room", "owner", "moderator", "member"),
    involvement: Type.Optional(involvement),
    lastReadSeq: seq("The member's read marker"),
    joinedAt: time("When they joined"),
  }),
) satisfies Describes<Member>;

export const message = named(
  "Message",
  Type.Object({
    roomId: id("A room's id"),
    seq: Type.Integer({ minimum: 1, description: "Its number in the room: 1, 2, 3… without gaps" }),
    kind: oneOf("Sent by a user, or told by the server", "text", "system"),
    sender: ref(user),
    body: nullable(text("null: deleted")),
    replyTo: nullable(seq("The message that it answers")),
    mentions: Type.Array(id("Of a user whom it mentions")),
    reactions: Type.Array(
      Type.Object({
        emoji: text("One of Unicode's RGI set"),
        users: Type.Array(id("Of a user who reacted"), { description: "Whoever was first comes first" }),
      }),
      { description: "By emoji, in the order of the first reactions; at most 20" },
    ),
    clientId: nullable(text("As the sender's program gave it")),
    createdAt: time("When it was sent"),
    editedAt: nullable(time("When it was last edited")),
    deletedAt: nullable(time("When it was deleted")),
  }),
) satisfies Describes<Message>;

export const messagePage = named(
  "MessagePage",
  Type.Object({
    messages: Type.Array(ref(message), { description: "Ascending by seq" }),
    cursor: text("For the room's stream"),
    before: nullable(seq("To pass as `before` for older ones; null: there are none")),
    after: nullable(seq("To pass as `after` for newer ones; null: there are none")),
  }),
) satisfies Describes<Awaited<ReturnType<typeof listMessages>>>;

export const foundMessage = named(
  "FoundMessage",
  Type.Object({
    ...message.properties,
    snippet: Type.Object({
      text: text("The part of the body around the first word found, with … where it is cut; text, not HTML"),
      ranges: Type.Array(
        Type.Unsafe<[number, number]>(
          Type.Array(Type.Integer({ minimum: 0 }), {
            minItems: 2,
            maxItems: 2,
            description: "From, to: UTF-16 code units of `text`",
          }),
        ),
        { description: "Where the words are in it, ascending; they do not overlap" },
      ),
    }),
  }),
) satisfies Describes<FoundMessage>;

export const foundMessages = Type.Object({
  messages: Type.Array(ref(foundMessage), { description: "Newest first" }),
  before: nullable(text("For the next page; null: this is the last")),
});

export const users = Type.Object({ users: Type.Array(ref(user)) });
export const tokens = Type.Object({ tokens: Type.Array(ref(token)) });
export const account = named(
  "Account",
  Type.Object(
    {
      ...user.properties,
      administrator: Type.Boolean(),
      deactivatedAt: nullable(time("Since when they cannot sign in; null: they can")),
      createdAt: time("When they signed up"),
      lastUsedAt: nullable(time("When a session or token that is still there was last used, to the hour")),
    },
    { description: "A user as administrators see them" },
  ),
) satisfies Describes<Account>;

export const roomAccount = named(
  "RoomAccount",
  Type.Object(
    {
      id: id("A room's id"),
      kind: room.properties.kind,
      name: room.properties.name,
      topic: room.properties.topic,
      memberCount: count("Members"),
      messageCount: count("All messages that were ever in it, of any kind"),
      createdAt: time("When it was made"),
      activeAt: room.properties.activeAt,
    },
    { description: "A room as administrators see it" },
  ),
) satisfies Describes<RoomAccount>;

export const act = named(
  "Act",
  Type.Object(
    {
      id: id("An act's id"),
      at: time("When it was done"),
      actor: nullable(ref(user)),
      act: oneOf("What was done", ...ACTS),
      target: Type.Object({
        kind: oneOf("To whom or what", "user", "room"),
        id: id("The user's or the room's id"),
        name: nullable(text("The user's handle, or the room's name, as they are now")),
      }),
      address: nullable(text("Where the request came from")),
    },
    {
      description: "Something that an administrator did; `actor` null: somebody at the server's command line",
    },
  ),
) satisfies Describes<AuditedAct>;

const following = nullable(id("For the next page; null: this is the last"));
export const accounts = Type.Object({ users: Type.Array(ref(account)), after: following });
export const roomAccounts = Type.Object({ rooms: Type.Array(ref(roomAccount)), after: following });
export const acts = Type.Object({ acts: Type.Array(ref(act)), before: following });
export const newPassword = Type.Object({ password: text("It is shown this once") });

export const sessions = Type.Object({ sessions: Type.Array(ref(session)) });
export const members = Type.Object({ members: Type.Array(ref(member)) });
export const ways = Type.Object({
  signup: oneOf("Who may sign up: everybody, who has an invite, nobody", ...SIGNUPS),
  jwt: Type.Boolean({ description: "Whether `POST /session/jwt` takes the JWTs of an application" }),
});
export const health = Type.Object({ status: Type.String() });

/** All that have a name. */
export const NAMED: TSchema[] = [
  problem,
  user,
  peer,
  token,
  madeToken,
  madeInvite,
  session,
  room,
  roomList,
  openRoom,
  unread,
  member,
  message,
  messagePage,
  foundMessage,
  account,
  roomAccount,
  act,
];

export const nameOf = (schema: TSchema): string => (schema.$id as string).slice(PREFIX.length);
export { ref };
