import type { Message } from "../../client/index.ts";
import { dayOf } from "../time.ts";

/** Milliseconds within which one person's messages stand under one head. */
const TOGETHER_MS = 5 * 60_000;

/** A message as it is drawn, and what stands above it. */
export interface Item {
  message: Message;
  /** A new day begins. */
  day: boolean;
  /** The line "new messages". */
  line: boolean;
  /** Without a head of its own: the one before is by the same person, just before. */
  compact: boolean;
}

/**
 * @param line the first seq that was unread, or null
 * @param me whose own messages are never new to them
 */
export function itemsOf(messages: readonly Message[], line: number | null, me: number | undefined): Item[] {
  let lineDrawn = line === null;
  return messages.map((message, index) => {
    const before = messages[index - 1];
    const day = !before || dayOf(before.createdAt) !== dayOf(message.createdAt);
    const isNew = message.kind === "text" && message.deletedAt === null && message.sender.id !== me;
    const lineHere = !lineDrawn && message.seq >= (line as number) && isNew;
    lineDrawn ||= lineHere;
    const follows =
      before?.kind === "text" &&
      message.kind === "text" &&
      before.sender.id === message.sender.id &&
      Date.parse(message.createdAt) - Date.parse(before.createdAt) < TOGETHER_MS;
    return {
      message,
      day,
      line: lineHere,
      compact: follows && !day && !lineHere && message.replyTo === null,
    };
  });
}
