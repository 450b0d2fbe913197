/**
 * A hint says that something changed, never what: it may be lost, doubled or late, and does no harm. It travels as
 * one word: `r12` room 12 · `c12` messages of room 12, nothing that a room list shows · `u7` everything of user 7 ·
 * `m7.12` user 7's membership of room 12 · `d7.12` up to where they have read it · `y7.12` user 7 types in room 12 ·
 * `s3`, `t3`, `j3` a session, a token or an identity (of a JWT) ended.
 */
export type Hint = string;

export const roomChanged = (roomId: number): Hint => `r${roomId}`;
export const messagesChanged = (roomId: number): Hint => `c${roomId}`;
export const userChanged = (userId: number): Hint => `u${userId}`;
export const membershipChanged = (userId: number, roomId: number): Hint => `m${userId}.${roomId}`;
export const markerMoved = (userId: number, roomId: number): Hint => `d${userId}.${roomId}`;
export const typing = (userId: number, roomId: number): Hint => `y${userId}.${roomId}`;
/** @param credential `s12`, `t7` or `j3`, as the caller's */
export const credentialEnded = (credential: string): Hint => credential;

/** A hint's parts; no kind for what is none. Of a credential only the kind is of use. */
export function parseHint(hint: Hint): { kind: string | undefined; id: number; roomId: number } {
  const [, kind, id, roomId] = /^([rcumdystj])(\d+)(?:\.(\d+))?$/.exec(hint) ?? [];
  return { kind, id: Number(id), roomId: Number(roomId) };
}

/** Whether a hint tells of a person, or of what gives them the right; not of a room. */
export const isPersonal = (hint: Hint): boolean => /^[ustj]/.test(hint);

/** Tells the hub of this process and, by the bus, those of the others. Called once the change is committed. */
export type Announce = (...hints: Hint[]) => void;
