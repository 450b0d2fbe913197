import { type Signal, useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { noted } from "../doing.ts";
import { t } from "../words.ts";
import { type Faults, faultsOf } from "./faults.ts";

/** Milliseconds after which it is worth saying that an answer is awaited. */
const WORTH_SAYING_MS = 500;

/**
 * A form that is sent once at a time, and shows what is wrong with it in words, at the field.
 * @param submit throws FormFault, ApiError or NetworkError
 * @param fieldOf which field an error's code, or a name in the API, belongs to (`handle-taken` → `handle`)
 * @param done what is said after it was sent, until something is changed again
 */
export function Form(props: {
  submit: () => Promise<void>;
  fieldOf?: Record<string, string>;
  action: string;
  done?: string;
  children: (faults: Signal<Faults>) => ComponentChildren;
}) {
  const faults = useSignal<Faults>({});
  const busy = useSignal(false);
  const done = useSignal(false);
  const slow = useSignal(false);
  useSignalEffect(() => {
    const timer = setTimeout(() => (slow.value = busy.value), busy.value ? WORTH_SAYING_MS : 0);
    return () => clearTimeout(timer);
  });
  const onSubmit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (busy.value) return;
    const form = event.currentTarget as HTMLFormElement;
    busy.value = true;
    done.value = false;
    if (faults.value[""]) faults.value = { ...faults.value, "": "" }; // the same words again are said again
    try {
      await props.submit();
      faults.value = {};
      done.value = true;
    } catch (error) {
      noted(error);
      faults.value = faultsOf(error, props.fieldOf ?? {});
      // After the words are there, to the first field that has some.
      setTimeout(() => form.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
    } finally {
      busy.value = false;
    }
  };
  const onInput = () => {
    done.value = false;
  };
  return (
    <form class="form" noValidate onSubmit={onSubmit} onInput={onInput}>
      {props.children(faults)}
      <p class="form-fault" role="alert">
        {faults.value[""]}
      </p>
      <div class="form-foot">
        <button class="button primary" type="submit" aria-disabled={busy.value}>
          {props.action}
        </button>
        <p class="form-done" role="status">
          {slow.value ? t.working : done.value ? props.done : ""}
        </p>
      </div>
    </form>
  );
}
