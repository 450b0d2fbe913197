import { useEffect, useRef } from "preact/hooks";
import { Avatar } from "../names.tsx";
import { Problem } from "../problem.tsx";
import { t } from "../words.ts";
import type { Picking } from "./picking.ts";

/**
 * What a picker suggests for what is written in it.
 * @param id of the picker; its input names the options by it
 */
export function Suggestions({ id, label, picking }: { id: string; label: string; picking: Picking }) {
  const list = useRef<HTMLDivElement>(null);
  const active = picking.active.value;
  const people = picking.suggestions.value;
  const { open, found } = picking;
  const shown = open.value && people !== null && people.length > 0;
  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: "nearest" });
  }, [active, shown]);
  return (
    <>
      <div
        ref={list}
        class="suggestions"
        id={`${id}-list`}
        role="listbox"
        aria-label={label}
        hidden={!shown}
        onMouseDown={(event) => event.preventDefault()} // the input keeps the focus
      >
        {(people ?? []).map((user, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the input's, which has the focus
          // biome-ignore lint/a11y/useFocusableInteractive: aria-activedescendant stands for its focus
          <div
            key={user.id}
            id={`${id}-${index}`}
            class="suggestion"
            role="option"
            aria-selected={index === active}
            onClick={() => picking.choose(user)}
          >
            <Avatar user={user} small />
            <bdi class="suggestion-name">{user.name}</bdi>
            <span class="hint">@{user.handle}</span>
          </div>
        ))}
      </div>
      <p class={shown ? "visually-hidden" : "suggestions none"} role="status">
        {open.value ? said(picking) : ""}
      </p>
      <Problem error={found.error.value} />
    </>
  );
}

/** What a screen reader is told of the suggestions; the eye, only when there are none. */
function said({ suggestions, found }: Picking): string {
  if (found.asking.value || suggestions.value === null) return "";
  return suggestions.value.length === 0 ? t.nobodyFound : t.suggested(suggestions.value.length);
}
