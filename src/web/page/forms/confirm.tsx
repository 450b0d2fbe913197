import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { useDoing } from "../doing.ts";
import { Problem } from "../problem.tsx";
import { t } from "../words.ts";

/**
 * A button for what cannot be taken back: it asks first, in its own place.
 * @param run throws ApiError or NetworkError, which is shown
 */
export function Confirm(props: { action: string; question: string; run: () => Promise<void> }) {
  const asking = useSignal(false);
  const doing = useDoing();
  const first = useRef<HTMLButtonElement>(null);
  const again = useRef<HTMLButtonElement>(null);
  const wasAsking = useRef(false);
  useLayoutEffect(() => {
    // The button that was pressed is gone: the focus goes on to what came in its place.
    if (asking.value) again.current?.focus();
    else if (wasAsking.current) first.current?.focus();
    wasAsking.current = asking.value;
  }, [asking.value]);
  const ask = (wanted: boolean) => () => {
    asking.value = wanted;
    doing.error.value = null;
  };
  if (!asking.value) {
    return (
      <button ref={first} type="button" class="button danger" onClick={ask(true)}>
        {props.action}
      </button>
    );
  }
  return (
    <fieldset class="confirm">
      <legend>{props.question}</legend>
      <button ref={again} type="button" class="button" onClick={ask(false)}>
        {t.cancel}
      </button>
      <button
        type="button"
        class="button danger"
        aria-disabled={doing.busy.value}
        onClick={() => doing.run(props.run)}
      >
        {props.action}
      </button>
      <Problem error={doing.error.value} />
    </fieldset>
  );
}
