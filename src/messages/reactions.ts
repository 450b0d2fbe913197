import type { Sql } from "../db/client.ts";
import { invalid, notFound, Problem } from "../problem.ts";
import { lockRoom } from "../rooms/queries.ts";
import { findMessage, type Message } from "./queries.ts";

/** Of emoji on one message: every page carries them all. */
const MOST_KINDS = 20;

/** What keyboards offer: Unicode's emoji, flags and sequences for general interchange (UTS #51, ED-27). */
const EMOJI = /^\p{RGI_Emoji}$/v;

/** Asks for the picture of a character that is a letter as well (U+2764 is a heart of either kind); some programs leave it out. */
const AS_PICTURE = "\ufe0f";

/**
 * An emoji out of a path. Bytes that are no UTF-8 have become U+FFFD by then, which is none.
 * @throws Problem 422 for what is not exactly one
 */
export function pathEmoji(given: string): string {
  const emoji = [given, given + AS_PICTURE].find((form) => EMOJI.test(form));
  if (!emoji)
    throw invalid("/emoji", "takes exactly one emoji (of Unicode's RGI set), percent-encoded as UTF-8");
  return emoji;
}

/**
 * Puts the caller's reaction on a message, or takes it away.
 * @returns the message as it is now, and whether that is a change
 * @throws Problem 404 `room-not-found`, `message-not-found`, 409 `too-many-reactions`
 */
export async function setReaction(
  tx: Sql,
  userId: number,
  roomId: number,
  seq: number,
  emoji: string,
  on: boolean,
): Promise<{ message: Message; isChange: boolean }> {
  await lockRoom(tx, roomId, userId);
  const message = await findMessage(tx, userId, roomId, seq);
  if (on && message.deletedAt !== null) throw notFound("message");
  const has = message.reactions.some((kind) => kind.emoji === emoji && kind.users.includes(userId));
  if (has === on) return { message, isChange: false };
  const reactions = (on ? withUser : withoutUser)(message.reactions, emoji, userId);
  if (reactions.length > MOST_KINDS) {
    throw new Problem(409, "too-many-reactions", `A message takes ${MOST_KINDS} different emoji.`);
  }
  // The room list shows nothing of it: the room's version stays.
  await tx`
    with room as (
      update rooms set change_count = change_count + 1 where id = ${roomId}
      returning change_count
    )
    update messages
       set reactions = ${tx.json(reactions)}, changed = room.change_count
      from room
     where room_id = ${roomId} and seq = ${seq}`;
  return { message: { ...message, reactions }, isChange: true };
}

type Reactions = Message["reactions"];

function withUser(reactions: Reactions, emoji: string, userId: number): Reactions {
  if (!reactions.some((kind) => kind.emoji === emoji)) return [...reactions, { emoji, users: [userId] }];
  return reactions.map((kind) => (kind.emoji === emoji ? { emoji, users: [...kind.users, userId] } : kind));
}

const withoutUser = (reactions: Reactions, emoji: string, userId: number): Reactions =>
  reactions
    .map((kind) => (kind.emoji === emoji ? { emoji, users: kind.users.filter((id) => id !== userId) } : kind))
    .filter(({ users }) => users.length > 0);
