import type { Message } from "../../client/index.ts";
import { endOfDay } from "../time.ts";

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
  let dayEnds = Number.NEGATIVE_INFINITY;
  let timeBefore = 0;
  return messages.map((message, index) => {
    const before = messages[index - 1];
    const time = Date.parse(message.createdAt);
    const day = time >= dayEnds;
    if (day) dayEnds = endOfDay(time);
    const isNew = message.kind === "text" && message.deletedAt === null && message.sender.id !== me;
    const lineHere = !lineDrawn && message.seq >= (line as number) && isNew;
    lineDrawn ||= lineHere;
    const follows =
      before?.kind === "text" &&
      message.kind === "text" &&
      before.sender.id === message.sender.id &&
      time - timeBefore < TOGETHER_MS;
    timeBefore = time;
    return {
      message,
      day,
      line: lineHere,
      compact: follows && !day && !lineHere && message.replyTo === null,
    };
  });
}
