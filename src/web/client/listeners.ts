/** Those who want to be told. One that throws keeps nobody else from being told; its error is reported, not lost. */
export class Listeners<A extends unknown[] = []> {
  readonly #all = new Set<{ fn: (...args: A) => void }>();

  /** @returns the unsubscriber; calling it again does nothing */
  add(fn: (...args: A) => void): () => void {
    const entry = { fn };
    this.#all.add(entry);
    return () => void this.#all.delete(entry);
  }

  tell(...args: A): void {
    for (const { fn } of [...this.#all]) {
      try {
        fn(...args);
      } catch (error) {
        reportError(error);
      }
    }
  }

  clear(): void {
    this.#all.clear();
  }
}
