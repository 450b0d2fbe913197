/** The HTTP contract as the server answers it: times are RFC 3339 text, ids and seqs are integers. */

export interface User {
  id: number;
  handle: string;
  name: string;
}

/** How one can come in. */
export interface Ways {
  signup: "open" | "invite" | "closed";
  /** Whether by a JWT of an application. */
  jwt: boolean;
}

/** Where somebody is signed in. */
export interface Session {
  id: number;
  /** As it says of itself: `Firefox, Linux`; null: it says nothing. */
  device: string | null;
  createdAt: string;
  /** To the hour. */
  lastUsedAt: string;
  /** When it ends if it is not used any more. */
  expiresAt: string;
  /** Whether it is the asking one. */
  current: boolean;
}

/** A person, and whether they have a stream or socket open. */
export interface Peer extends User {
  online: boolean;
}

export type RoomKind = "open" | "closed" | "direct";
export type Role = "owner" | "moderator" | "member";
export type Involvement = "all" | "mentions" | "none";

/** A room as the signed-in member sees it. */
export interface Room {
  id: number;
  kind: RoomKind;
  /** null in a direct room: show its `peers`. */
  name: string | null;
  topic: string | null;
  role: Role;
  involvement: Involvement;
  lastSeq: number;
  lastReadSeq: number;
  unreadCount: number;
  mentionCount: number;
  markedUnread: boolean;
  /** The newest text message that is not deleted, its body cut after 300 characters. */
  lastMessage: {
    seq: number;
    sender: User;
    body: string;
    createdAt: string;
    editedAt: string | null;
  } | null;
  activeAt: string;
  memberCount: number;
  peers: Peer[] | null;
}

/** What `GET /rooms` answers, and the event `rooms` carries. */
export interface RoomsPage {
  cursor: string;
  rooms: Room[];
  left: number[];
  /** Whether it replaces all that the client holds. */
  reset: boolean;
}

export interface Reaction {
  emoji: string;
  /** Ids of those who reacted, the first one first. */
  users: number[];
}

export interface Message {
  roomId: number;
  /** 1, 2, 3… in each room, without gaps. */
  seq: number;
  kind: "text" | "system";
  sender: User;
  /** null: deleted. */
  body: string | null;
  replyTo: number | null;
  mentions: number[];
  reactions: Reaction[];
  clientId: string | null;
  createdAt: string;
  editedAt: string | null;
  deletedAt: string | null;
}

export interface MessagesPage {
  /** Ascending by seq. */
  messages: Message[];
  /** For the room's stream. */
  cursor: string;
  /** The seq to pass for the next page that way; null at the end. */
  before: number | null;
  after: number | null;
}

export interface Member {
  user: Peer;
  role: Role;
  lastReadSeq: number;
  joinedAt: string;
  /** Only in the answer of setting one's own. */
  involvement?: Involvement;
}

/** A room that anyone may join. */
export interface OpenRoom {
  id: number;
  name: string;
  topic: string | null;
  memberCount: number;
  joined: boolean;
}

/** A message found, with the part of its body around the first word found. */
export interface SearchHit extends Message {
  /** `ranges`: from, to, in UTF-16 code units of `text`. */
  snippet: { text: string; ranges: [number, number][] };
}

/** Why an unread count is what it is. */
export interface UnreadReport {
  unreadCount: number;
  firstUnreadSeq: number | null;
  skipped: { own: number; deleted: number; system: number };
}
