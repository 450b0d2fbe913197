import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { composer, useFocusOn } from "../focus.ts";
import { Icon } from "../icons.tsx";
import { roomOf } from "../state.ts";
import { shortCount, t } from "../words.ts";
import type { Conversation } from "./conversation.ts";

/** Over the messages: the ways to the first unread one and to the newest, where those are not in sight. */
export function Jumps({ conversation }: { conversation: Conversation }) {
  const { scroll } = conversation;
  conversation.changes.value; // whether the newest is there
  const unread = roomOf(conversation.roomId)?.unreadCount ?? 0;
  return (
    <div class="jumps">
      {scroll.lineUnseen.value && unread > 0 && (
        <Jump go={() => conversation.jumpToLine()}>{t.jumpToUnread(unread)}</Jump>
      )}
      {!scroll.atEnd.value && conversation.timeline.messages.length > 0 && (
        <Jump
          round
          label={unread > 0 ? `${t.jumpToEnd}, ${t.unread(unread)}` : t.jumpToEnd}
          go={() => conversation.jumpToEnd()}
        >
          <Icon name="down" />
          {unread > 0 && <span class="badge">{shortCount(unread)}</span>}
        </Jump>
      )}
    </div>
  );
}

/** Gone once one is there: the keyboard goes on to where one answers. */
function Jump(props: { go: () => void; label?: string; round?: boolean; children: ComponentChildren }) {
  const button = useRef<HTMLButtonElement>(null);
  useFocusOn(button, composer);
  return (
    <button
      ref={button}
      type="button"
      class={props.round ? "jump round" : "jump"}
      aria-label={props.label}
      title={props.label}
      onClick={props.go}
    >
      {props.children}
    </button>
  );
}
