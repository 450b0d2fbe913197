import { useComputed } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { me, roomOf } from "../state.ts";
import { dayName } from "../time.ts";
import { problemWords, t } from "../words.ts";
import type { Conversation } from "./conversation.ts";
import { itemsOf } from "./items.ts";
import { MessageView } from "./message.tsx";
import { PendingMessages } from "./pending.tsx";

/** The room's messages, oldest first, and the keys that move among them. */
export function Messages({ conversation }: { conversation: Conversation }) {
  const { timeline, scroll, active, changes } = conversation;
  const scroller = useRef<HTMLElement>(null);
  changes.value; // drawn anew with each of them
  const { messages, members, atStart, atEnd, loading, error } = timeline;
  const items = itemsOf(messages, conversation.line.value, me.value?.id);
  const stop = useComputed(() => active.value).value ?? messages.at(-1)?.seq;

  useEffect(() => {
    if (!scroller.current) return;
    scroll.attach(scroller.current, {
      get atEnd() {
        return timeline.atEnd;
      },
      get loading() {
        return timeline.loading !== null;
      },
      needOlder: () => canPage(conversation) && !timeline.atStart && void timeline.older(),
      needNewer: () => canPage(conversation) && !timeline.atEnd && void timeline.newer(),
      saw: (seq) => conversation.marker.saw(seq),
    });
    return () => scroll.detach();
  }, [conversation]);
  useLayoutEffect(() => scroll.settle());

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") return focusComposer();
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !(event.target instanceof HTMLElement) || !event.target.matches("[data-seq]")) return;
    event.preventDefault();
    const index = messages.findIndex(({ seq }) => seq === Number((event.target as HTMLElement).dataset.seq));
    const next = messages[index + step];
    if (next) scroller.current?.querySelector<HTMLElement>(`[data-seq="${next.seq}"]`)?.focus();
    else if (step > 0) focusComposer();
  };

  return (
    <section
      ref={scroller}
      class="scroller"
      aria-label={t.messages}
      aria-busy={loading !== null}
      data-line={conversation.line.value ?? undefined}
      onScroll={scroll.look}
      onPointerLeave={() => (active.value = null)}
    >
      <ol class="messages" onKeyDown={onKeyDown}>
        {error !== null && (
          <li class="messages-note" role="alert">
            {t.messagesFailed} {problemWords(error)}{" "}
            <button type="button" class="text-button" onClick={() => conversation.retry()}>
              {t.tryAgain}
            </button>
          </li>
        )}
        {atStart && <li class="messages-note">{t.beginning}</li>}
        {!atStart && error === null && <li class="messages-note">{t.loadingMessages}</li>}
        {items.flatMap(({ message, day, line, compact }) => [
          day && (
            <li key={`day ${message.seq}`} class="day">
              <span>{dayName(message.createdAt)}</span>
            </li>
          ),
          line && (
            <li key="line" class="new-line" data-line={conversation.line.value}>
              <span>{t.newMessages}</span>
            </li>
          ),
          <MessageView
            key={message.seq}
            conversation={conversation}
            message={message}
            compact={compact}
            members={members}
            replied={
              message.replyTo === null ? null : (messages.find(({ seq }) => seq === message.replyTo) ?? null)
            }
            active={active.value === message.seq}
            stop={stop === message.seq}
            seen={seenBelow(conversation, message.seq)}
          />,
        ])}
        {atEnd && <PendingMessages conversation={conversation} />}
      </ol>
    </section>
  );
}

/** Not again while a page is on its way, nor by itself after one has failed. */
const canPage = ({ timeline }: Conversation) =>
  timeline.loading === null && timeline.error === null && timeline.messages.length > 0;

const focusComposer = () => document.querySelector<HTMLElement>(".composer textarea")?.focus();

/**
 * In a direct room: under the last of one's own messages that somebody has read, who has.
 * @returns words, or "" under every other message
 */
function seenBelow({ timeline, roomId }: Conversation, seq: number): string {
  if (roomOf(roomId)?.kind !== "direct") return "";
  const mine = me.value?.id;
  const others = timeline.members.filter(({ user }) => user.id !== mine);
  const readTo = Math.max(0, ...others.map(({ lastReadSeq }) => lastReadSeq));
  const last = timeline.messages.findLast(
    (message) =>
      message.kind === "text" &&
      message.sender.id === mine &&
      message.deletedAt === null &&
      message.seq <= readTo,
  );
  if (last?.seq !== seq) return "";
  if (others.length === 1) return t.seen;
  return t.seenBy(
    others
      .filter(({ lastReadSeq }) => lastReadSeq >= seq)
      .map(({ user }) => user.name)
      .join(", "),
  );
}
