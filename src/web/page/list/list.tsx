import { useComputed, useSignal } from "@preact/signals";
import { useCallback, useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { openRoomId } from "../route.ts";
import { rooms } from "../state.ts";
import { t } from "../words.ts";
import { FirstSteps } from "./first-steps.tsx";
import { filter, holdOrder, releaseOrder, shown } from "./order.ts";
import { Row } from "./row.tsx";
import { keepInSight, ROW, rowsToDraw } from "./rows.ts";

/** How far a key moves through the list. */
const STEPS: Record<string, number> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 8,
  PageUp: -8,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

/** Every room of the person; only the rows in sight are drawn, so that five thousand stay smooth. */
export function RoomList() {
  const scroller = useRef<HTMLDivElement>(null);
  const sight = useSignal({ top: 0, height: 800 });
  const focused = useSignal<number | null>(null);
  const before = useRef<readonly number[]>([]);
  const list = shown.value;
  const stop = useComputed(() => {
    const ids = [focused.value, openRoomId.value].filter((id) => id !== null);
    return ids.find((id) => shown.value.some((room) => room.id === id)) ?? shown.value[0]?.id;
  }).value;

  const measure = () => {
    const element = scroller.current;
    if (element) sight.value = { top: element.scrollTop, height: element.clientHeight };
  };
  useEffect(() => {
    const observer = new ResizeObserver(measure);
    if (scroller.current) observer.observe(scroller.current);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    const element = scroller.current;
    const ids = list.map(({ id }) => id);
    if (element) {
      const top = keepInSight(element.scrollTop, before.current, ids);
      if (top !== element.scrollTop) element.scrollTop = top;
    }
    before.current = ids;
  }, [list]);

  const onFocus = useCallback((id: number) => {
    focused.value = id;
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const index = list.findIndex(({ id }) => id === stop);
    const next = list[Math.min(list.length - 1, Math.max(0, index + step))];
    if (next) showAndFocus(scroller.current, list.indexOf(next), () => (focused.value = next.id));
  };

  const { from, to } = rowsToDraw(sight.value.top, sight.value.height, list.length);
  // The row with the focus stays, wherever it is: the focus would be lost with it.
  const rows = list.flatMap((room, index) =>
    (index >= from && index < to) || room.id === stop ? [{ room, index }] : [],
  );
  return (
    <div
      ref={scroller}
      class={sight.value.top > 0 ? "rows scrolled" : "rows"}
      onScroll={measure}
      onPointerMove={(event) => event.pointerType === "mouse" && holdOrder()}
      onPointerLeave={releaseOrder}
    >
      <ul class="row-list" style={{ height: `${list.length * ROW}px` }} onKeyDown={onKeyDown}>
        {rows.map(({ room, index }) => (
          <Row
            key={room.id}
            room={room}
            index={index}
            count={list.length}
            current={room.id === openRoomId.value}
            stop={room.id === stop}
            onFocus={onFocus}
          />
        ))}
      </ul>
      {list.length === 0 && <Nothing />}
    </div>
  );
}

function Nothing() {
  if (rooms.value.length > 0 && filter.value !== "") return <p class="rows-empty">{t.noRoomMatches}</p>;
  return (
    <div class="rows-empty">
      <p>{t.noRoomsYet}</p>
      <FirstSteps />
    </div>
  );
}

/** Scrolls a row into sight, has it drawn, and gives it the focus. */
function showAndFocus(scroller: HTMLElement | null, index: number, draw: () => void): void {
  if (!scroller) return;
  const top = index * ROW;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + ROW > scroller.scrollTop + scroller.clientHeight)
    scroller.scrollTop = top + ROW - scroller.clientHeight;
  draw();
  requestAnimationFrame(() => scroller.querySelector<HTMLElement>(".row[tabindex='0']")?.focus());
}
