import type { Signal } from "@preact/signals";
import { useId } from "preact/hooks";

export interface Choice<T extends string> {
  value: T;
  label: string;
  hint?: string;
}

/** One of a few, as radio buttons with words for what each means. */
export function Choices<T extends string>(props: {
  legend: string;
  value: Signal<T>;
  choices: readonly Choice<T>[];
}) {
  const id = useId();
  return (
    <fieldset class="choices">
      <legend>{props.legend}</legend>
      {props.choices.map(({ value, label, hint }) => (
        <label key={value} class="choice">
          <input
            type="radio"
            name={id}
            value={value}
            checked={props.value.value === value}
            aria-labelledby={`${id}-${value}-name`}
            aria-describedby={hint && `${id}-${value}`}
            onChange={() => {
              props.value.value = value;
            }}
          />
          <span class="choice-words">
            <span id={`${id}-${value}-name`}>{label}</span>
            {hint && (
              <span class="hint" id={`${id}-${value}`}>
                {hint}
              </span>
            )}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
