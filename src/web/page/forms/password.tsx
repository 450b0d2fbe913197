import { type Signal, useSignal } from "@preact/signals";
import { Icon } from "../icons.tsx";
import { t } from "../words.ts";
import type { Faults } from "./faults.ts";
import { Field } from "./field.tsx";

/** A password, that can be looked at. */
export function PasswordField(props: {
  name: string;
  label: string;
  value: Signal<string>;
  faults: Signal<Faults>;
  autocomplete: "current-password" | "new-password";
  hint?: string;
}) {
  const shown = useSignal(false);
  return (
    <Field {...props} type={shown.value ? "text" : "password"} required>
      <button
        type="button"
        class="icon-button"
        aria-label={t.showPassword}
        aria-pressed={shown.value}
        title={t.showPassword}
        onClick={() => {
          shown.value = !shown.value;
        }}
      >
        <Icon name="eye" />
      </button>
    </Field>
  );
}
