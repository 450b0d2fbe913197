/** So many at a time do something that may take a whole deadline; the others wait in line. */
export class Slots {
  #free: number;
  #begun = 0;
  /** Each with how many had begun when it came. */
  readonly #line: { after: number; resolve(): void; reject(failure: unknown): void }[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Does `work` in a slot.
   * @throws what it throws; or what another's threw: who has waited in line for as long as that took fails with it
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#line.push({ after: this.#begun, resolve, reject });
      await promise; // whoever leaves a slot hands it over
    }
    const which = ++this.#begun;
    try {
      return await work();
    } catch (failure) {
      const asLong = this.#line.filter(({ after }) => after < which);
      for (const { reject } of this.#line.splice(0, asLong.length)) reject(failure);
      throw failure;
    } finally {
      const next = this.#line.shift();
      if (next) next.resolve();
      else this.#free++;
    }
  }
}
