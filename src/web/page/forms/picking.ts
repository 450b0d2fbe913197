import { batch, computed, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { User } from "../../client/index.ts";
import { Found } from "../found.ts";
import { api } from "../state.ts";
import { t } from "../words.ts";
import { FormFault } from "./faults.ts";

/** Shorter than people notice, longer than between two keys. */
const PAUSE_MS = 180;
/** Asked for, and shown: some of them are left out, because they are chosen already. */
const ASKED = 50;
const SHOWN = 8;

/** People being chosen by a search: what was chosen, what is written, what is suggested for it. */
export class Picking {
  readonly chosen = signal<readonly User[]>([]);
  readonly query = signal("");
  /** Which of the suggestions Enter chooses. */
  readonly active = signal(0);
  readonly open = signal(false);
  readonly found = new Found<User>(async (q) => ({ rows: await api.people(q, ASKED), next: null }));

  /** null: nothing is answered yet. */
  readonly suggestions = computed(() => {
    const chosen = new Set(this.chosen.value.map(({ id }) => id));
    const left = this.found.rows.value?.filter((user) => !chosen.has(user.id) && !this.leftOut(user.id));
    return left?.slice(0, SHOWN) ?? null;
  });

  /** @param leftOut who is not to be suggested */
  constructor(readonly leftOut: (userId: number) => boolean) {}

  write(query: string): void {
    batch(() => {
      this.query.value = query;
      this.active.value = 0;
      this.open.value = query.trim() !== "";
      if (this.open.value) this.found.askSoon(query.trim(), PAUSE_MS);
      else this.found.clear();
    });
  }

  /** Shows suggestions, also for nothing written. */
  suggest(): void {
    this.open.value = true;
    if (this.found.rows.value === null || this.found.error.value !== null) {
      void this.found.ask(this.query.value.trim());
    }
  }

  choose(user: User): void {
    batch(() => {
      this.chosen.value = [...this.chosen.value, user];
      this.write("");
    });
  }

  drop(userId: number): void {
    this.chosen.value = this.chosen.value.filter(({ id }) => id !== userId);
  }

  /**
   * The ids of those chosen.
   * @param field the picker's, for its faults
   * @throws FormFault if a name is still being written, or nobody is chosen who must be
   */
  ids(field: string, required: boolean): number[] {
    const { length } = this.chosen.value;
    if (this.query.value.trim() !== "") throw new FormFault({ [field]: t.chooseFromList });
    if (required && length === 0) throw new FormFault({ [field]: t.chooseSomebody });
    return this.chosen.value.map(({ id }) => id);
  }
}

/** People being chosen, as long as the component lives. */
export function usePicking(leftOut: (userId: number) => boolean): Picking {
  const picking = useMemo(() => new Picking(leftOut), []);
  useEffect(() => () => picking.found.clear(), []);
  return picking;
}
