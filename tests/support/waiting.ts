/** Those who wait for something to arrive; told to look again whenever something has. */
export class Waiting {
  readonly #looks = new Set<() => void>();

  /** Something has arrived. */
  arrived(): void {
    for (const look of this.#looks) look();
  }

  /**
   * Waits until a condition holds over what has arrived.
   * @param whyNever why it cannot come to hold any more, if so
   * @throws after `ms`, with what `seen` tells
   */
  async until(
    condition: () => boolean,
    {
      what,
      ms,
      seen,
      whyNever,
    }: { what: string; ms: number; seen?: () => string; whyNever?: () => string | null },
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => {
      const never = whyNever?.();
      if (condition()) resolve();
      else if (never) reject(new Error(`${never} before: ${what}`));
    };
    const clock = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}; got ${seen?.()}`)), ms);
    this.#looks.add(look);
    look();
    try {
      await promise;
    } finally {
      clearTimeout(clock);
      this.#looks.delete(look);
    }
  }
}
