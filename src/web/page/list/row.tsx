import { memo } from "preact/compat";
import type { Room } from "../../client/index.ts";
import { RoomAvatar, roomName } from "../names.tsx";
import { roomHref } from "../route.ts";
import { me } from "../state.ts";
import { shortTime } from "../time.ts";
import { shortCount, t } from "../words.ts";
import { ROW } from "./rows.ts";

interface RowProps {
  room: Room;
  index: number;
  count: number;
  current: boolean;
  /** Whether Tab stops here: at one row of the list; the arrow keys go on from it. */
  stop: boolean;
  onFocus: (id: number) => void;
}

/** One room: who said what last, when, and how much of it is unread. */
export const Row = memo(function Row({ room, index, count, current, stop, onFocus }: RowProps) {
  const name = roomName(room);
  const classes = ["row", current && "current", room.unreadCount > 0 && "has-unread"].filter(Boolean);
  return (
    <li
      class="row-place"
      style={{ transform: `translateY(${index * ROW}px)` }}
      aria-setsize={count}
      aria-posinset={index + 1}
    >
      <a
        class={classes.join(" ")}
        href={roomHref(room.id)}
        data-room={room.id}
        tabIndex={stop ? 0 : -1}
        aria-current={current ? "page" : undefined}
        onFocus={() => onFocus(room.id)}
      >
        <RoomAvatar room={room} />
        <span class="row-name">
          {name}
          {room.peers?.some(({ online }) => online) && <span class="visually-hidden">, {t.online}</span>}
          {room.kind === "closed" && <span class="visually-hidden">, {t.closedRoom}</span>}
        </span>
        <span class="row-time">{room.lastMessage && shortTime(room.lastMessage.createdAt)}</span>
        <span class="row-preview">
          <bdi>{preview(room)}</bdi>
        </span>
        <Badges room={room} />
      </a>
    </li>
  );
});

/** The last message in one line, with who wrote it where that is not plain from the room. */
function preview({ lastMessage, kind, peers, memberCount }: Room): string {
  if (!lastMessage) return t.noMessages;
  const text = lastMessage.body.replace(/\s+/g, " ");
  if (lastMessage.sender.id === me.value?.id) return t.youSaid(text);
  return kind === "direct" && (peers?.length ?? memberCount) === 1
    ? text
    : t.newMessageFrom(lastMessage.sender.name, text);
}

function Badges({ room }: { room: Room }) {
  const { unreadCount, mentionCount, markedUnread, involvement, kind } = room;
  const quiet = involvement === "none" || (involvement === "mentions" && kind !== "direct");
  return (
    <span class="row-badges">
      {mentionCount > 0 && kind !== "direct" && (
        <span class={involvement === "none" ? "badge quiet" : "badge mention"}>
          <span aria-hidden="true">@{shortCount(mentionCount)}</span>
          <span class="visually-hidden">, {t.mentions(mentionCount)}</span>
        </span>
      )}
      {unreadCount > 0 && (
        <span class={quiet ? "badge quiet" : "badge"} data-unread={unreadCount}>
          <span aria-hidden="true">{shortCount(unreadCount)}</span>
          <span class="visually-hidden">, {t.unread(unreadCount)}</span>
        </span>
      )}
      {unreadCount === 0 && markedUnread && (
        <span class="badge dot">
          <span class="visually-hidden">, {t.markedUnread}</span>
        </span>
      )}
    </span>
  );
}
