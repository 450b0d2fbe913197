import { type TSchema, Type } from "@sinclair/typebox";
import * as schemas from "./schemas.ts";

/** What a route answers: a schema for each status that says it went well, and the codes of its own problems. */
export interface Answers {
  /** null: no content. */
  success: Record<number, TSchema | null>;
  /** By status; those that every route of its kind can give are added (document.ts). */
  problems?: Record<number, string[]>;
  /** For who is not signed in as well. */
  open?: true;
  /** For administrators; there is nothing for everybody else. */
  admin?: true;
  /** What the stream carries: the answer is Server-Sent Events. */
  stream?: string;
  /** What is to be said of it, where the status does not say it. */
  about?: string;
}

const { ref } = schemas;
const user = ref(schemas.user);
const room = ref(schemas.room);
const roomList = ref(schemas.roomList);
const member = ref(schemas.member);
const message = ref(schemas.message);

const ROOM = { 404: ["room-not-found"] };
const ROOM_BY_RIGHT = { ...ROOM, 403: ["forbidden"] };
const MESSAGE = { 404: ["room-not-found", "message-not-found"] };
const MESSAGE_BY_RIGHT = { ...MESSAGE, 403: ["forbidden"] };

const PING_AND_BYE = [
  "`ping`: `{}`, a sign of life.",
  '`bye`: `{ "reason": "signed-out" | "removed" | "shutdown" | "slow" | "rotate" }`; then the stream ends.',
].join(" ");

const ROOM_STREAM = [
  "`messages`: `{ reset, messages, cursor }`, with the cursor as its id: new, edited and deleted ones and those with other reactions, each whole, ascending by `seq`.",
  "`reset: true` replaces all that the client holds by the newest 50; it comes where more than 500 messages and changes were missed. A sender's new name brings the newest 50 again.",
  "`typing`: `{ user }`, good for five seconds; one's own comes as well.",
  "`read`: `{ userId, lastReadSeq }`, of markers that move while the stream is open; where everybody stands when it opens is in `GET /rooms/{id}/members`, to be asked for after each opening. A sender's moves with each message.",
  PING_AND_BYE,
].join(" ");

const SOCKET = [
  'The client sends `{ "subscribe": "rooms", "cursor"? }`, `{ "subscribe": "room", "id", "cursor"? }`, `{ "unsubscribe": "rooms" }`, `{ "unsubscribe": "room", "id" }`, `{ "typing": id }`.',
  'The server sends `{ "event", "room"?, "data", "id"? }`: the events of the streams, `room` being the room of a timeline, `id` the cursor. The socket does not come back by itself: connect again, and subscribe with the last cursors.',
  'What is refused is answered `{ "event": "error", "data": Problem, "re": the frame }`. A `bye` with a `room` ends that room alone. A Problem with the code `rate-limited` has a `retryAfter` (seconds) here.',
  "Closes with 1000 bye, 1001 shutdown, 1008 right lost, 1009 frame above 16 KiB, 1013 slow.",
].join(" ");

const ROOMS_STREAM = [
  "`rooms`: the body of `GET /rooms`, with the cursor as its id; `reset: true` replaces all that the client holds.",
  PING_AND_BYE,
].join(" ");

/** By method and path, as the app names them. */
export const ANSWERS: Record<string, Answers> = {
  "GET /health/live": { success: { 200: schemas.health }, open: true },
  "GET /health/ready": { success: { 200: schemas.health }, problems: { 503: ["unavailable"] }, open: true },

  "POST /chat/api/users": {
    success: { 201: user },
    problems: { 403: ["signup-closed", "bad-invite"], 409: ["handle-taken"] },
    open: true,
  },
  "POST /chat/api/session": { success: { 200: user }, problems: { 401: ["bad-credentials"] }, open: true },
  "POST /chat/api/session/jwt": {
    success: { 200: user },
    problems: { 401: ["unauthenticated"], 403: ["jwt-off"] },
    open: true,
  },
  "GET /chat/api/session/ways": { success: { 200: schemas.ways }, open: true },
  "GET /chat/api/session": { success: { 200: user } },
  "DELETE /chat/api/session": { success: { 204: null } },
  "GET /chat/api/sessions": { success: { 200: schemas.sessions } },
  "DELETE /chat/api/sessions/:id": { success: { 204: null }, problems: { 404: ["not-found"] } },
  "PUT /chat/api/session/password": { success: { 204: null }, problems: { 401: ["bad-credentials"] } },
  "POST /chat/api/invites": { success: { 201: ref(schemas.madeInvite) }, problems: { 403: ["forbidden"] } },
  "POST /chat/api/tokens": { success: { 201: ref(schemas.madeToken) } },
  "GET /chat/api/tokens": { success: { 200: schemas.tokens } },
  "DELETE /chat/api/tokens/:id": { success: { 204: null }, problems: { 404: ["not-found"] } },
  "GET /chat/api/users": { success: { 200: schemas.users } },
  "GET /chat/api/users/me": { success: { 200: user } },
  "PATCH /chat/api/users/me": { success: { 200: user } },

  "GET /chat/api/rooms": { success: { 200: roomList } },
  "POST /chat/api/rooms": { success: { 201: room, 200: room }, problems: { 404: ["user-not-found"] } },
  "GET /chat/api/rooms/open": { success: { 200: schemas.openRooms } },
  "PUT /chat/api/rooms/read": { success: { 200: roomList } },
  "GET /chat/api/rooms/:id": { success: { 200: room }, problems: ROOM },
  "PATCH /chat/api/rooms/:id": { success: { 200: room }, problems: ROOM_BY_RIGHT },
  "DELETE /chat/api/rooms/:id": { success: { 204: null }, problems: ROOM_BY_RIGHT },
  "PUT /chat/api/rooms/:id/read": { success: { 200: room }, problems: ROOM },
  "GET /chat/api/rooms/:id/unread": { success: { 200: ref(schemas.unread) }, problems: ROOM },
  "PUT /chat/api/rooms/:id/unread": { success: { 200: room }, problems: ROOM },

  "GET /chat/api/rooms/:id/members": { success: { 200: schemas.members }, problems: ROOM },
  "PUT /chat/api/rooms/:id/members/:userId": {
    success: { 200: member },
    problems: { 403: ["forbidden"], 404: ["room-not-found", "user-not-found"], 409: ["last-owner"] },
  },
  "PATCH /chat/api/rooms/:id/members/me": { success: { 200: member }, problems: ROOM },
  "DELETE /chat/api/rooms/:id/members/:userId": {
    success: { 204: null },
    problems: { 403: ["forbidden"], 404: ["room-not-found", "user-not-found"], 409: ["last-owner"] },
  },

  "GET /chat/api/rooms/:id/messages": { success: { 200: ref(schemas.messagePage) }, problems: ROOM },
  "POST /chat/api/rooms/:id/messages": {
    success: { 201: message, 200: message },
    problems: { ...ROOM, 409: ["client-id-reused"] },
  },
  "GET /chat/api/rooms/:id/messages/:seq": { success: { 200: message }, problems: MESSAGE },
  "PATCH /chat/api/rooms/:id/messages/:seq": { success: { 200: message }, problems: MESSAGE_BY_RIGHT },
  "DELETE /chat/api/rooms/:id/messages/:seq": { success: { 204: null }, problems: MESSAGE_BY_RIGHT },
  "PUT /chat/api/rooms/:id/messages/:seq/reactions/:emoji": {
    success: { 200: message },
    problems: { ...MESSAGE, 409: ["too-many-reactions"] },
  },
  "DELETE /chat/api/rooms/:id/messages/:seq/reactions/:emoji": { success: { 204: null }, problems: MESSAGE },

  "POST /chat/api/rooms/:id/typing": { success: { 204: null }, problems: ROOM },

  "GET /chat/api/search": { success: { 200: schemas.foundMessages }, problems: ROOM },

  "GET /chat/api/stream/rooms": { success: { 200: Type.String() }, stream: ROOMS_STREAM },
  "GET /chat/api/stream/rooms/:id": {
    success: { 200: Type.String() },
    problems: ROOM,
    stream: ROOM_STREAM,
  },
  "GET /chat/api/admin/users": { success: { 200: schemas.accounts }, admin: true },
  "PATCH /chat/api/admin/users/:id": {
    success: { 200: ref(schemas.account) },
    problems: { 404: ["user-not-found"], 409: ["last-administrator"] },
    admin: true,
  },
  "POST /chat/api/admin/users/:id/password": {
    success: { 201: schemas.newPassword },
    problems: { 404: ["user-not-found"], 409: ["no-password"] },
    admin: true,
  },
  "DELETE /chat/api/admin/users/:id/credentials": {
    success: { 204: null },
    problems: { 404: ["user-not-found"] },
    admin: true,
  },
  "GET /chat/api/admin/rooms": { success: { 200: schemas.roomAccounts }, admin: true },
  "DELETE /chat/api/admin/rooms/:id": { success: { 204: null }, problems: ROOM, admin: true },
  "GET /chat/api/admin/audit": { success: { 200: schemas.acts }, admin: true },

  "GET /chat/api/ws": { success: { 101: null }, problems: { 426: ["upgrade-required"] }, about: SOCKET },
};
