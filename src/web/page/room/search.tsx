import { useEffect, useId, useRef } from "preact/hooks";
import { Icon } from "../icons.tsx";
import { More } from "../more.tsx";
import { Problem } from "../problem.tsx";
import { t } from "../words.ts";
import { Hit } from "./hit.tsx";
import { Panel } from "./panel.tsx";
import { hits, inAllRooms, query, search, searchedRoom } from "./searching.ts";

/** Searches the messages of this room, or of all; a hit leads to its place. */
export function SearchPanel({ roomId, onClose }: { roomId: number; onClose: () => void }) {
  const id = useId();
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    // Another room was opened: what was found in the one before is not "in this room".
    if (searchedRoom.value !== null && searchedRoom.value !== roomId) void search(roomId);
  }, [roomId]);
  const submit = (event: Event) => {
    event.preventDefault();
    void search(roomId);
  };
  return (
    <Panel title={t.search} onClose={onClose}>
      <search class="panel-part">
        <form class="search-form" onSubmit={submit}>
          <div class="field">
            <label for={id}>{t.searchFor}</label>
            <div class="field-row">
              <input
                id={id}
                data-first
                type="search"
                autocomplete="off"
                enterkeyhint="search"
                maxLength={200}
                aria-describedby={`${id}-hint`}
                value={query}
                onInput={(event) => {
                  query.value = event.currentTarget.value;
                }}
              />
              <button type="submit" class="icon-button" aria-label={t.search}>
                <Icon name="search" />
              </button>
            </div>
            <p class="hint" id={`${id}-hint`}>
              {t.searchHint}
            </p>
          </div>
          <label class="choice">
            <input
              type="checkbox"
              checked={inAllRooms}
              onChange={(event) => {
                inAllRooms.value = event.currentTarget.checked;
                if (hits.query !== "") void search(roomId);
              }}
            />
            {t.inAllRooms}
          </label>
        </form>
      </search>
      <p class="hint panel-part found-count" role="status">
        {said()}
      </p>
      <div class="panel-list">
        <ol ref={list} aria-label={t.searchResults}>
          {hits.rows.value?.map((message) => (
            <Hit
              key={`${message.roomId}/${message.seq}`}
              message={message}
              withRoom={searchedRoom.value === null}
              onClose={onClose}
            />
          ))}
        </ol>
        <div class="panel-part">
          <Problem error={hits.error.value} />
        </div>
        <More found={hits} list={list} label={t.olderHits} />
      </div>
    </Panel>
  );
}

function said(): string {
  const { rows, asking, next, error } = hits;
  if (asking.value) return t.searching;
  if (rows.value === null || error.value !== null) return "";
  return rows.value.length === 0 ? t.nothingFound : t.messagesFound(rows.value.length, next.value !== null);
}
