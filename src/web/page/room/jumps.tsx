import { Icon } from "../icons.tsx";
import { roomOf } from "../state.ts";
import { t } from "../words.ts";
import type { Conversation } from "./conversation.ts";

/** Over the messages: the ways to the first unread one and to the newest, where those are not in sight. */
export function Jumps({ conversation }: { conversation: Conversation }) {
  const { scroll } = conversation;
  conversation.changes.value; // whether the newest is there
  const unread = roomOf(conversation.roomId)?.unreadCount ?? 0;
  return (
    <div class="jumps">
      {scroll.lineUnseen.value && unread > 0 && (
        <button type="button" class="jump" onClick={() => conversation.jumpToLine()}>
          {t.jumpToUnread(unread)}
        </button>
      )}
      {!scroll.atEnd.value && conversation.timeline.messages.length > 0 && (
        <button
          type="button"
          class="jump round"
          aria-label={unread > 0 ? `${t.jumpToEnd}, ${t.unread(unread)}` : t.jumpToEnd}
          title={t.jumpToEnd}
          onClick={() => conversation.jumpToEnd()}
        >
          <Icon name="down" />
          {unread > 0 && <span class="badge">{unread}</span>}
        </button>
      )}
    </div>
  );
}
