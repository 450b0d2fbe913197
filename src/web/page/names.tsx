import type { Room, User } from "../client/index.ts";
import { Icon } from "./icons.tsx";
import { t } from "./words.ts";

/** What a room is called: a direct room by the others in it. */
export function roomName({ name, peers }: Pick<Room, "name" | "peers">): string {
  if (name !== null) return name;
  return peers && peers.length > 0 ? peers.map((peer) => peer.name).join(", ") : t.alone;
}

/** A name in a sentence, whose direction it must not turn. */
export const inSentence = (name: string): string => name.replace(/[\u202a-\u202e\u2066-\u2069]/g, "");

/** The first letters of the first and last word of a name. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return letters
    .map((word) => Array.from(word ?? "")[0] ?? "")
    .join("")
    .toUpperCase();
}

/** How many colours there are for avatars, in styles/controls.css. */
const COLOURS = 8;

/** A person's letters on a colour that is always theirs. For the eye only: the name stands beside it. */
export function Avatar({ user, online, small }: { user: User; online?: boolean; small?: boolean }) {
  return (
    <span class={`avatar round tint-${user.id % COLOURS}${small ? " small" : ""}`} aria-hidden="true">
      {initials(user.name)}
      {online && <span class="presence" />}
    </span>
  );
}

/** A room's picture: a sign for its kind, or in a direct room the other person. */
export function RoomAvatar({ room }: { room: Pick<Room, "id" | "kind" | "peers"> }) {
  const [peer, ...more] = room.peers ?? [];
  if (room.kind === "direct" && peer && more.length === 0) return <Avatar user={peer} online={peer.online} />;
  return (
    <span class={`avatar tint-${room.id % COLOURS}`} aria-hidden="true">
      <Icon name={room.kind === "open" ? "hash" : room.kind === "closed" ? "lock" : "people"} />
      {room.peers?.some(({ online }) => online) && <span class="presence" />}
    </span>
  );
}
