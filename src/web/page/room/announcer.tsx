import { useRef } from "preact/hooks";
import { me } from "../state.ts";
import { t } from "../words.ts";
import type { Conversation } from "./conversation.ts";
import { systemWords } from "./system.ts";

/** Characters of a message that a screen reader is told unasked. */
const MOST = 200;

/** Tells screen readers what comes into the open room: only what is new, never a page of the past. */
export function Announcer({ conversation }: { conversation: Conversation }) {
  conversation.changes.value; // a new message is one of them
  const { timeline } = conversation;
  const newest = useRef<number | null>(null);
  const words = useRef("");
  const last = timeline.atEnd ? timeline.messages.at(-1) : undefined;
  if (last && last.seq > (newest.current ?? last.seq)) {
    const text =
      last.kind === "system" ? systemWords(last) : t.newMessageFrom(last.sender.name, last.body ?? "");
    if (last.sender.id !== me.value?.id) words.current = text.slice(0, MOST);
  }
  if (last) newest.current = Math.max(newest.current ?? 0, last.seq);
  return (
    <p class="visually-hidden" role="log" aria-live="polite">
      {words.current}
    </p>
  );
}
