import { useSignal } from "@preact/signals";
import { useId, useRef } from "preact/hooks";
import type { Timeline } from "../../client/index.ts";
import { Problem } from "../problem.tsx";
import { roomOf } from "../state.ts";
import { t } from "../words.ts";
import { AddPeople } from "./add-people.tsx";
import { MemberRow } from "./member.tsx";
import { Panel } from "./panel.tsx";
import { inOrder, matching, useRoster } from "./roster.ts";

/** With more members than this, there is a filter. */
const FEW = 20;
/** Rows drawn at once, of a room with thousands. */
const SHOWN = 200;

/** Who is in the room; what may be done about that is offered to those who may. */
export function MembersPanel(props: { timeline: Timeline; roomId: number; onClose: () => void }) {
  const id = useId();
  const list = useRef<HTMLUListElement>(null);
  const { members, error, reload } = useRoster(props.timeline);
  const filter = useSignal("");
  const most = useSignal(SHOWN);
  const room = roomOf(props.roomId);
  if (!room) return null;
  const all = members.value;
  const found = inOrder(matching(all, filter.value));
  const mayAdd = room.kind === "open" || (room.kind === "closed" && room.role !== "member");
  return (
    <Panel title={t.members} onClose={props.onClose}>
      {mayAdd && <AddPeople timeline={props.timeline} roomId={room.id} members={members} />}
      {all.length > FEW && (
        <search class="field panel-part">
          <label for={id}>{t.filterMembers}</label>
          <input
            id={id}
            type="search"
            autocomplete="off"
            value={filter}
            onInput={(event) => {
              filter.value = event.currentTarget.value;
            }}
          />
        </search>
      )}
      <p class="hint panel-part" role="status">
        {all.length === 0 ? "" : t.memberCount(found.length)}
      </p>
      {error.value !== null && (
        <div class="panel-part">
          <Problem error={error.value} />
          <button type="button" class="button" onClick={reload}>
            {t.tryAgain}
          </button>
        </div>
      )}
      <ul ref={list} class="panel-list" aria-label={t.members} tabIndex={-1}>
        {found.slice(0, most.value).map((member) => (
          <MemberRow
            key={member.user.id}
            member={member}
            room={room}
            timeline={props.timeline}
            onClose={props.onClose}
            onRemoved={() => list.current?.focus()} // the row that had the focus is gone
          />
        ))}
      </ul>
      {found.length > most.value && (
        <button
          type="button"
          class="button more"
          onClick={() => {
            most.value += SHOWN;
          }}
        >
          {t.moreMembers}
        </button>
      )}
    </Panel>
  );
}
