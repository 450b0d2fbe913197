import type { SearchHit } from "../../client/index.ts";
import { roomName } from "../names.tsx";
import { goToRoom, roomHref } from "../route.ts";
import { roomOf } from "../state.ts";
import { locale } from "../words.ts";
import { Marked } from "./marked.tsx";
import { coversRoom } from "./panel.tsx";

const when = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

/** A message that was found: who wrote it, when, and the words; leads to its place. */
export function Hit(props: { message: SearchHit; withRoom: boolean; onClose: () => void }) {
  const { roomId, seq, sender, createdAt, snippet } = props.message;
  const room = props.withRoom ? roomOf(roomId) : undefined;
  const go = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // a new tab or window, as for any link
    event.preventDefault();
    if (coversRoom()) props.onClose();
    goToRoom(roomId, seq);
  };
  return (
    <li>
      <a class="hit" href={roomHref(roomId, seq)} onClick={go}>
        <span class="hit-head">
          <bdi class="hit-sender">{sender.name}</bdi>
          <time class="hint" dateTime={createdAt}>
            {when.format(new Date(createdAt))}
          </time>
        </span>
        {room && <bdi class="hint hit-room">{roomName(room)}</bdi>}
        <span class="hit-text" dir="auto">
          <Marked {...snippet} />
        </span>
      </a>
    </li>
  );
}
