import { type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { ApiError } from "../../client/index.ts";
import { problemWords, t } from "../words.ts";

/** What is wrong with a form: by field, and `""` for the whole of it. */
export type Faults = Record<string, string>;

/** Faults that the page itself finds, thrown in a form's `submit`. */
export class FormFault extends Error {
  constructor(readonly faults: Faults) {
    super("the form is not filled in rightly");
  }
}

/**
 * A form that is sent once at a time, and shows what is wrong with it in words, at the field.
 * @param submit throws FormFault, ApiError or NetworkError
 * @param fieldOf which field an error's code belongs to (`handle-taken` → `handle`)
 */
export function Form(props: {
  submit: () => Promise<void>;
  fieldOf?: Record<string, string>;
  action: string;
  children: (faults: Signal<Faults>) => ComponentChildren;
}) {
  const faults = useSignal<Faults>({});
  const busy = useSignal(false);
  const onSubmit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (busy.value) return;
    const form = event.currentTarget as HTMLFormElement;
    busy.value = true;
    try {
      await props.submit();
      faults.value = {};
    } catch (error) {
      faults.value = faultsOf(error, props.fieldOf ?? {});
      // After the words are there, to the first field that has some.
      setTimeout(() => form.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
    } finally {
      busy.value = false;
    }
  };
  return (
    <form class="form" noValidate onSubmit={onSubmit}>
      {props.children(faults)}
      <p class="form-fault" role="alert">
        {faults.value[""]}
      </p>
      <button class="button primary" type="submit" aria-disabled={busy.value}>
        {props.action}
      </button>
    </form>
  );
}

function faultsOf(error: unknown, fieldOf: Record<string, string>): Faults {
  if (error instanceof FormFault) return error.faults;
  if (error instanceof ApiError) {
    const field = fieldOf[error.code];
    if (field !== undefined) return { [field]: problemWords(error) };
    const faults: Faults = {};
    for (const { path } of error.errors) {
      const name = path.replace(/^[./]/, "");
      if (t.fieldFaults[name]) faults[name] = t.fieldFaults[name];
    }
    if (Object.keys(faults).length > 0) return faults;
  }
  return { "": problemWords(error) };
}

/** A labelled input with a hint and, where there is something wrong with it, the words for that. */
export function Field(props: {
  name: string;
  label: string;
  value: Signal<string>;
  faults: Signal<Faults>;
  hint?: string;
  type?: "text" | "password" | "search";
  autocomplete?: string;
  autofocus?: boolean;
  maxLength?: number;
}) {
  const id = useId();
  const fault = props.faults.value[props.name];
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <input
        id={id}
        name={props.name}
        type={props.type ?? "text"}
        value={props.value}
        maxLength={props.maxLength}
        autocomplete={props.autocomplete ?? "off"}
        autocapitalize="off"
        spellcheck={false}
        autofocus={props.autofocus}
        aria-invalid={fault !== undefined}
        aria-describedby={`${id}-hint ${id}-fault`}
        onInput={(event) => {
          props.value.value = event.currentTarget.value;
        }}
      />
      {props.hint && (
        <p class="hint" id={`${id}-hint`}>
          {props.hint}
        </p>
      )}
      <p class="fault" id={`${id}-fault`} role="alert">
        {fault}
      </p>
    </div>
  );
}
