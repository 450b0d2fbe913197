import { useRef } from "preact/hooks";
import type { Message } from "../../client/index.ts";
import { me } from "../state.ts";
import { t } from "../words.ts";
import type { Conversation } from "./conversation.ts";
import { systemWords } from "./system.ts";

/** Characters of a message that a screen reader is told unasked. */
const MOST = 200;
/** Messages kept for it to read: more than come between two sentences. */
const KEPT = 5;

/** Tells screen readers what comes into the open room: only what is new, never a page of the past. */
export function Announcer({ conversation }: { conversation: Conversation }) {
  conversation.changes.value; // a new message is one of them
  const { atEnd, messages } = conversation.timeline;
  const newest = useRef<number | null>(null);
  const told = useRef<readonly Message[]>([]);
  const last = atEnd ? messages.at(-1) : undefined;
  if (last && last.seq > (newest.current ?? last.seq)) {
    const fresh = messages.slice(-KEPT).filter(({ seq }) => seq > (newest.current ?? 0));
    const others = fresh.filter(({ sender }) => sender.id !== me.value?.id);
    told.current = [...told.current, ...others].slice(-KEPT);
  }
  if (last) newest.current = Math.max(newest.current ?? 0, last.seq);
  return (
    <div class="visually-hidden" role="log" aria-live="polite">
      {told.current.map((message) => (
        <p key={message.seq}>{wordsOf(message)}</p>
      ))}
    </div>
  );
}

function wordsOf(message: Message): string {
  const { kind, sender, body } = message;
  const words = kind === "system" ? systemWords(message) : t.newMessageFrom(sender.name, body ?? "");
  return words.slice(0, MOST);
}
