import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import type { Faults } from "./faults.ts";

/**
 * A labelled input with a hint and, where there is something wrong with it, the words for that.
 * @param children a control beside the input
 */
export function Field(props: {
  name: string;
  label: string;
  value: Signal<string>;
  faults: Signal<Faults>;
  hint?: string;
  type?: "text" | "password" | "search";
  autocomplete?: string;
  autofocus?: boolean;
  required?: boolean;
  spellcheck?: boolean;
  maxLength?: number;
  children?: ComponentChildren;
}) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const fault = props.faults.value[props.name];
  useLayoutEffect(() => {
    if (props.autofocus) input.current?.focus(); // the attribute is heeded once in a page's life, and in dialogs
  }, []);
  const described = [props.hint && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <div class="field-row">
        <input
          ref={input}
          id={id}
          name={props.name}
          type={(props.type ?? "text") as "text"} // which one makes no difference to the attributes here
          value={props.value}
          maxLength={props.maxLength}
          autocomplete={props.autocomplete ?? "off"}
          autocapitalize={props.spellcheck ? "sentences" : "off"}
          spellcheck={props.spellcheck ?? false}
          autofocus={props.autofocus}
          aria-required={props.required}
          aria-invalid={!!fault}
          aria-describedby={described || undefined}
          onInput={(event) => {
            props.value.value = event.currentTarget.value;
            if (fault) props.faults.value = { ...props.faults.value, [props.name]: "" }; // it may be right now
          }}
        />
        {props.children}
      </div>
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
