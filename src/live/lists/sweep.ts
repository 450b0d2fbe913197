import type { Person } from "./audience.ts";

/** A sweep that took long is followed by a pause so many times as long. */
const PAUSE = 20;

/** A look at everybody, for what no hint told of: whom it has still to look at, and when the next one is due. */
export class Sweep {
  readonly #left = new Set<Person>();
  #began = 0; // performance.now(); 0: none is under way
  #next = 0;

  /** Not before the last one is through, and no more than a small part of the time. */
  get due(): boolean {
    return this.#began === 0 && performance.now() >= this.#next;
  }

  begin(people: Iterable<Person>): void {
    this.#began ||= performance.now();
    for (const person of people) this.#left.add(person);
  }

  /** Is being looked at, or has gone. */
  done(person: Person): void {
    this.#left.delete(person);
  }

  /** Was not looked at after all. */
  missed(person: Person): void {
    if (this.#began > 0) this.#left.add(person);
  }

  /** Ends the sweep if everybody was looked at. */
  settle(): void {
    if (this.#began === 0 || this.#left.size > 0) return;
    const now = performance.now();
    this.#next = now + (now - this.#began) * PAUSE;
    this.#began = 0;
  }
}
