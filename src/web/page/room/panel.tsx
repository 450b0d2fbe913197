import { effect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { useFocusBack } from "../focus.ts";
import { Icon } from "../icons.tsx";
import { panel } from "../state.ts";
import { t } from "../words.ts";

/** Where a panel covers the room instead of standing beside it; as in styles/panels.css. */
const NARROW = "(max-width: 1080px)";
export const coversRoom = (): boolean => matchMedia(NARROW).matches;

/** Whether a panel was asked for that has not come yet. One that stays while another room is opened comes unasked. */
let asked = false;
effect(() => {
  asked = panel.value !== null;
});

/** A panel beside the room. Takes the focus when it was asked for; Escape closes it. */
export function Panel(props: { title: string; onClose: () => void; children: ComponentChildren }) {
  const id = useId();
  const aside = useRef<HTMLElement>(null);
  useFocusBack();
  useLayoutEffect(() => {
    if (!asked) return;
    asked = false;
    const own = aside.current?.querySelector<HTMLElement>("[data-first]");
    (own ?? aside.current?.querySelector("h2"))?.focus();
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault(); // some browsers would empty a search field
    event.stopPropagation();
    props.onClose();
  };
  return (
    <aside ref={aside} class="panel" aria-labelledby={id} onKeyDown={onKeyDown}>
      <header class="panel-head">
        <h2 id={id} tabIndex={-1}>
          {props.title}
        </h2>
        <button type="button" class="icon-button" aria-label={t.close} onClick={props.onClose}>
          <Icon name="close" />
        </button>
      </header>
      {props.children}
    </aside>
  );
}
