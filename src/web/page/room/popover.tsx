import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** Pixels between a popover and what it belongs to; as in styles/message.css. */
const GAP = 6;

/** Puts what lies over the messages above the toolbar that it belongs to, unless there is more room below. */
function useSide(element: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    const popover = element.current;
    const toolbar = popover?.parentElement?.getBoundingClientRect();
    const sight = popover?.closest(".scroller")?.getBoundingClientRect();
    if (!popover || !toolbar || !sight) return;
    const above = toolbar.top - sight.top;
    const fits = popover.offsetHeight + GAP <= above;
    popover.classList.toggle("below", !fits && sight.bottom - toolbar.bottom > above);
  }, []);
}

/** Something to choose beside a toolbar. */
export function Popover(props: {
  label: string;
  class?: string;
  onKeyDown: (event: KeyboardEvent) => void;
  children: ComponentChildren;
}) {
  const element = useRef<HTMLFieldSetElement>(null);
  useSide(element);
  return (
    <fieldset
      ref={element}
      class={`popover ${props.class ?? ""}`}
      aria-label={props.label}
      onKeyDown={props.onKeyDown}
    >
      {props.children}
    </fieldset>
  );
}

/** What went wrong with what was tried there. */
export function PopoverFault({ words }: { words: string }) {
  const element = useRef<HTMLParagraphElement>(null);
  useSide(element);
  return (
    <p ref={element} class="popover fault" role="alert">
      {words}
    </p>
  );
}
