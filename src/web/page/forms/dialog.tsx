import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { useFocusBack } from "../focus.ts";
import { Icon } from "../icons.tsx";
import { t } from "../words.ts";

/**
 * A modal dialog: the browser's own, which keeps the focus inside, closes with Escape and gives the focus back.
 * @param onClose called when it was closed, however
 */
export function Dialog(props: {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  size?: "wide" | "tall";
}) {
  const element = useRef<HTMLDialogElement>(null);
  const pressedOutside = useRef(false);
  const id = useId();
  useFocusBack();
  useLayoutEffect(() => element.current?.showModal(), []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape is the keyboard's way, and the browser's own
    <dialog
      ref={element}
      class={`dialog ${props.size ?? ""}`}
      aria-labelledby={id}
      onClose={props.onClose}
      onPointerDown={(event) => {
        pressedOutside.current = event.target === element.current;
      }}
      // Not where a selection that began inside ends outside: the browser makes that a click on the dialog.
      onClick={(event) => {
        if (pressedOutside.current && event.target === element.current) element.current?.close();
      }}
    >
      <div class="dialog-inside">
        <header class="dialog-head">
          <h2 id={id}>{props.title}</h2>
          <button
            type="button"
            class="icon-button"
            aria-label={t.close}
            onClick={() => element.current?.close()}
          >
            <Icon name="close" />
          </button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}
