import type { Picking } from "./picking.ts";

/** The keys of a combobox: arrows go through the suggestions, Enter chooses, Escape puts them away. */
export function keyPressed(event: KeyboardEvent, picking: Picking): void {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const suggestions = picking.open.value ? (picking.suggestions.value ?? []) : [];
  const used = act(event.key, picking, suggestions.length);
  if (used) event.preventDefault(); // also keeps Escape from the dialog, and Enter from the form
}

/** @returns whether the key was ours */
function act(key: string, picking: Picking, count: number): boolean {
  const go = (to: number) => {
    picking.active.value = (to + count) % count;
    return true;
  };
  switch (key) {
    case "ArrowDown":
      if (count > 0) return go(picking.active.value + 1);
      picking.suggest();
      return true;
    case "ArrowUp":
      return count > 0 && go(picking.active.value - 1);
    case "Enter": {
      const user = picking.open.value ? picking.suggestions.value?.[picking.active.value] : undefined;
      // An answer that is still to come is not an answer: what is shown may be to what was written before.
      if (user && !picking.found.asking.value) picking.choose(user);
      return picking.query.value.trim() !== "" || user !== undefined;
    }
    case "Escape":
      if (!picking.open.value) return false;
      picking.open.value = false;
      return true;
    case "Backspace": {
      const last = picking.query.value === "" ? picking.chosen.value.at(-1) : undefined;
      if (last) picking.drop(last.id);
      return last !== undefined;
    }
    default:
      return false;
  }
}
