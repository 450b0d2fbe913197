import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import type { OpenRoom } from "../../client/index.ts";
import { useDoing } from "../doing.ts";
import { join } from "../entering.ts";
import { useFound } from "../found.ts";
import { More } from "../more.tsx";
import { Problem } from "../problem.tsx";
import { goToRoom } from "../route.ts";
import { api, dialog } from "../state.ts";
import { t } from "../words.ts";

const PAUSE_MS = 250;
const PAGE = 50;

/** Finds open rooms by their name or topic, to join or open them. */
export function OpenRooms() {
  const id = useId();
  const list = useRef<HTMLUListElement>(null);
  const query = useSignal("");
  const found = useFound<OpenRoom, number>(async (q, after) => {
    const page = await api.openRooms({ q, limit: PAGE, after: after ?? 0 });
    return { rows: page.rooms, next: page.after };
  });
  useEffect(() => void found.ask(query.peek().trim()), []); // somebody may have typed by now
  const rooms = found.rows.value;
  return (
    <>
      <search class="field">
        <label for={id}>{t.nameOrTopic}</label>
        <input
          id={id}
          type="search"
          autocomplete="off"
          maxLength={100}
          autofocus
          value={query}
          onInput={(event) => {
            query.value = event.currentTarget.value;
            found.askSoon(query.value.trim(), PAUSE_MS);
          }}
        />
      </search>
      <p class="hint found-count" role="status">
        {found.asking.value ? t.searching : rooms && t.roomsFound(rooms.length, found.next.value !== null)}
      </p>
      <div class="open-rooms">
        <ul ref={list} aria-label={t.openRooms}>
          {rooms?.map((room) => (
            <Row key={room.id} room={room} />
          ))}
        </ul>
        <Problem error={found.error.value} />
        {found.error.value !== null && (
          <button type="button" class="button" onClick={() => found.ask(query.value.trim())}>
            {t.tryAgain}
          </button>
        )}
        <More found={found} list={list} label={t.moreRooms} />
      </div>
    </>
  );
}

function Row({ room }: { room: OpenRoom }) {
  const doing = useDoing();
  const open = () => {
    dialog.value = null;
    goToRoom(room.id);
  };
  return (
    <li class="open-room">
      <div class="open-room-words">
        <p class="open-room-name" dir="auto">
          {room.name}
        </p>
        {room.topic !== null && (
          <p class="open-room-topic" dir="auto">
            {room.topic}
          </p>
        )}
        <p class="hint">{t.memberCount(room.memberCount)}</p>
        <Problem error={doing.error.value} />
      </div>
      {room.joined ? (
        <button type="button" class="button" aria-label={t.openRoom(room.name)} onClick={open}>
          {t.open}
        </button>
      ) : (
        <button
          type="button"
          class="button primary"
          aria-label={t.joinRoom(room.name)}
          aria-disabled={doing.busy.value}
          onClick={() => doing.run(() => join(room.id))}
        >
          {t.join}
        </button>
      )}
    </li>
  );
}
