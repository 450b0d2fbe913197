import { useComputed } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Timeline } from "../../client/index.ts";
import { composer } from "../focus.ts";
import { inSentence } from "../names.tsx";
import { dialog, me, panel, roomOf } from "../state.ts";
import { dayName } from "../time.ts";
import { t } from "../words.ts";
import { isChoosing, isKeyboardAtActions } from "./actions.tsx";
import type { Conversation } from "./conversation.ts";
import { itemsOf } from "./items.ts";
import { MessageView } from "./message.tsx";
import { coversRoom } from "./panel.tsx";
import { PendingMessages } from "./pending.tsx";
import { usePeople } from "./people.ts";

/** The room's messages, oldest first, and the keys that move among them. */
export function Messages({ conversation }: { conversation: Conversation }) {
  const { timeline, scroll, active, changes } = conversation;
  const scroller = useRef<HTMLElement>(null);
  changes.value; // drawn anew with each of them
  const { messages, atStart, atEnd, loading, error } = timeline;
  const people = usePeople(timeline.members);
  const isDirect = useComputed(() => roomOf(conversation.roomId)?.kind === "direct").value;
  const seen = isDirect ? seenLine(timeline) : null;
  const items = itemsOf(messages, conversation.line.value, me.value?.id);
  const stop = messages.find(({ seq }) => seq === active.value)?.seq ?? messages.at(-1)?.seq;

  useEffect(() => {
    if (!scroller.current) return;
    scroll.attach(scroller.current, {
      get atEnd() {
        return timeline.atEnd;
      },
      get loading() {
        return timeline.loading !== null;
      },
      get covered() {
        return dialog.value !== null || (panel.value !== null && coversRoom());
      },
      needOlder: () => canPage(conversation) && !timeline.atStart && void timeline.older(),
      needNewer: () => canPage(conversation) && !timeline.atEnd && void timeline.newer(),
      saw: (seq) => conversation.marker.saw(seq),
    });
    return () => scroll.detach();
  }, [conversation]);
  useEffect(() => scroll.look(), [dialog.value, panel.value]); // what was covered is seen now
  useLayoutEffect(
    () => scroll.settle(),
    [changes.value, conversation.pending.value, conversation.line.value],
  );

  const leave = (event: PointerEvent) => {
    if (event.pointerType !== "mouse") return; // a finger leaves before its tap counts
    if (!isChoosing() && !isKeyboardAtActions()) active.value = null;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") return composer()?.focus();
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !(event.target instanceof HTMLElement) || !event.target.matches("[data-seq]")) return;
    event.preventDefault();
    const index = messages.findIndex(({ seq }) => seq === Number((event.target as HTMLElement).dataset.seq));
    const next = messages[index + step];
    if (next) scroller.current?.querySelector<HTMLElement>(`[data-seq="${next.seq}"]`)?.focus();
    else if (step > 0) composer()?.focus();
  };

  return (
    <section
      ref={scroller}
      class="scroller"
      aria-label={t.messages}
      aria-busy={loading !== null}
      data-line={conversation.line.value ?? undefined}
      onScroll={scroll.scrolled}
      onPointerLeave={leave}
    >
      <ol class="messages" onKeyDown={onKeyDown}>
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
            people={people}
            replied={
              message.replyTo === null ? null : (messages.find(({ seq }) => seq === message.replyTo) ?? null)
            }
            active={active.value === message.seq}
            stop={stop === message.seq}
            seen={seen?.seq === message.seq ? seen.words : ""}
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

/** In a direct room: the last of one's own messages that somebody has read, and who has, in words. */
function seenLine(timeline: Timeline): { seq: number; words: string } | null {
  const mine = me.value?.id;
  const others = timeline.members.filter(({ user }) => user.id !== mine);
  const readTo = Math.max(0, ...others.map(({ lastReadSeq }) => lastReadSeq));
  const last = timeline.messages.findLast(
    ({ kind, sender, body, seq }) => kind === "text" && sender.id === mine && body !== null && seq <= readTo,
  );
  if (!last) return null;
  const readers = others
    .filter(({ lastReadSeq }) => lastReadSeq >= last.seq)
    .map(({ user }) => inSentence(user.name));
  return { seq: last.seq, words: others.length === 1 ? t.seen : t.seenBy(readers.join(", ")) };
}
