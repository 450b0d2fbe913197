import type { Signal } from "@preact/signals";
import { useId, useRef } from "preact/hooks";
import type { User } from "../../client/index.ts";
import { Icon } from "../icons.tsx";
import { Avatar } from "../names.tsx";
import { t } from "../words.ts";
import type { Faults } from "./faults.ts";
import { keyPressed } from "./picker-keys.ts";
import type { Picking } from "./picking.ts";
import { Suggestions } from "./suggestions.tsx";

/**
 * Chooses people by their names: an input with suggestions (ARIA's combobox), and those chosen, which can be dropped
 * again, by their buttons or with Backspace.
 */
export function PeoplePicker(props: {
  name: string;
  label: string;
  hint?: string;
  picking: Picking;
  faults: Signal<Faults>;
  autofocus?: boolean;
}) {
  const { picking, faults } = props;
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const fault = faults.value[props.name];
  const shown = picking.open.value && (picking.suggestions.value?.length ?? 0) > 0;
  const changed = () => {
    if (fault) faults.value = { ...faults.value, [props.name]: "" };
  };
  return (
    <div class="field picker">
      <label for={id}>{props.label}</label>
      <Chosen
        picking={picking}
        onDrop={() => {
          changed();
          input.current?.focus();
        }}
      />
      <div class="picker-box">
        <input
          ref={input}
          id={id}
          name={props.name}
          type="text"
          role="combobox"
          aria-autocomplete="list"
          aria-expanded={shown}
          aria-controls={`${id}-list`}
          aria-activedescendant={shown ? `${id}-${picking.active.value}` : undefined}
          aria-invalid={!!fault}
          aria-describedby={`${id}-hint ${id}-fault`}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          maxLength={100}
          autofocus={props.autofocus}
          value={picking.query}
          onInput={(event) => {
            picking.write(event.currentTarget.value);
            changed();
          }}
          onKeyDown={(event) => keyPressed(event, picking)}
          onClick={() => picking.suggest()}
          onBlur={() => {
            picking.open.value = false;
          }}
        />
        <Suggestions id={id} label={props.label} picking={picking} />
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

function Chosen({ picking, onDrop }: { picking: Picking; onDrop: () => void }) {
  const chosen = picking.chosen.value;
  if (chosen.length === 0) return null;
  const drop = (user: User) => {
    picking.drop(user.id);
    onDrop();
  };
  return (
    <ul class="chips" aria-label={t.chosen}>
      {chosen.map((user) => (
        <li key={user.id} class="chip">
          <Avatar user={user} small />
          <bdi class="chip-name">{user.name}</bdi>
          <button
            type="button"
            class="chip-drop"
            aria-label={t.dropPerson(user.name)}
            onClick={() => drop(user)}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ul>
  );
}
