import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { noted } from "./doing.ts";

export interface Page<Row, Place> {
  rows: readonly Row[];
  /** Where the next page begins; null at the end. */
  next: Place | null;
}

/** What a search has found, page by page. An answer to a question that is no longer the one asked is dropped. */
export class Found<Row, Place = never> {
  /** null: nothing was answered yet. What was found stays until the next answer is there. */
  readonly rows = signal<readonly Row[] | null>(null);
  readonly next = signal<Place | null>(null);
  readonly asking = signal(false);
  readonly error = signal<unknown>(null);
  /** The question that is, or was last, asked. */
  query = "";
  #question = 0;
  #pause: ReturnType<typeof setTimeout> | undefined;

  /** @param look answers a page of a query; without a place the first */
  constructor(readonly look: (query: string, place: Place | null) => Promise<Page<Row, Place>>) {}

  /** Asks afresh. */
  ask(query: string): Promise<void> {
    this.query = query;
    return this.#ask(null);
  }

  /** Asks afresh when so much time has passed without another question: for keys that are still being pressed. */
  askSoon(query: string, pauseMs: number): void {
    clearTimeout(this.#pause);
    this.#question++;
    this.asking.value = true;
    this.#pause = setTimeout(() => this.ask(query), pauseMs);
  }

  /** Asks for the next page, if there is one and it is not being asked for. */
  async more(): Promise<void> {
    if (this.next.value !== null && !this.asking.value) await this.#ask(this.next.value);
  }

  /** Forgets what was found, and does not wait for what was asked. */
  clear(): void {
    clearTimeout(this.#pause);
    this.#question++;
    this.query = "";
    this.rows.value = null;
    this.next.value = null;
    this.asking.value = false;
    this.error.value = null;
  }

  async #ask(place: Place | null): Promise<void> {
    clearTimeout(this.#pause);
    const question = ++this.#question;
    this.asking.value = true;
    this.error.value = null;
    try {
      const page = await this.look(this.query, place);
      if (question !== this.#question) return;
      this.rows.value = place === null ? page.rows : [...(this.rows.value ?? []), ...page.rows];
      this.next.value = page.next;
    } catch (error) {
      if (question !== this.#question) return;
      noted(error);
      this.error.value = error;
    }
    this.asking.value = false;
  }
}

/** A search that lives as long as the component. */
export function useFound<Row, Place = never>(look: Found<Row, Place>["look"]): Found<Row, Place> {
  const found = useMemo(() => new Found<Row, Place>(look), []);
  useEffect(() => () => found.clear(), []);
  return found;
}
