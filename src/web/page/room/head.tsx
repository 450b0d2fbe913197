import { Icon, type IconName } from "../icons.tsx";
import { RoomAvatar, roomName } from "../names.tsx";
import { dialog, panel, roomOf } from "../state.ts";
import { t } from "../words.ts";

/** The room's name, what it is about, and the ways to its people, its past and its settings. */
export function RoomHead({ roomId }: { roomId: number }) {
  const room = roomOf(roomId);
  if (!room) return null;
  const online = room.peers?.some((peer) => peer.online);
  const about = [room.topic, online && t.online, room.kind !== "direct" && t.memberCount(room.memberCount)];
  return (
    <header class="room-head">
      <a class="icon-button back" href="#/" aria-label={t.back}>
        <Icon name="back" />
      </a>
      <RoomAvatar room={room} />
      <div class="room-title">
        <h2>
          <bdi>{roomName(room)}</bdi>
        </h2>
        <p>
          <bdi>{about.filter(Boolean).join(" · ")}</bdi>
        </p>
      </div>
      <PanelButton name="search" icon="search" words={t.search} />
      <PanelButton name="members" icon="people" words={t.members} />
      <button
        type="button"
        class="icon-button"
        aria-label={t.roomSettings}
        title={t.roomSettings}
        aria-haspopup="dialog"
        onClick={() => (dialog.value = "room-settings")}
      >
        <Icon name="more" />
      </button>
    </header>
  );
}

function PanelButton({ name, icon, words }: { name: "search" | "members"; icon: IconName; words: string }) {
  const open = panel.value === name;
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={words}
      title={words}
      aria-expanded={open}
      onClick={() => (panel.value = open ? null : name)}
    >
      <Icon name={icon} />
    </button>
  );
}
