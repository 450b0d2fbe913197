import type { User } from "./contract.ts";

/** Who types: each for some seconds since it was last told. */
export class Typists {
  readonly #until = new Map<number, { user: User; timer: ReturnType<typeof setTimeout> }>();
  #list: readonly User[] = [];

  private readonly lastsMs: number;
  private readonly onChange: () => void;

  constructor(lastsMs: number, onChange: () => void) {
    this.lastsMs = lastsMs;
    this.onChange = onChange;
  }

  /** The same array until something changes. */
  get list(): readonly User[] {
    return this.#list;
  }

  heard(user: User): void {
    clearTimeout(this.#until.get(user.id)?.timer);
    this.#until.set(user.id, { user, timer: setTimeout(() => this.stopped(user.id), this.lastsMs) });
    this.#changed();
  }

  /** They have sent what they typed. */
  stopped(userId: number): void {
    const typist = this.#until.get(userId);
    if (!typist) return;
    clearTimeout(typist.timer);
    this.#until.delete(userId);
    this.#changed();
  }

  close(): void {
    for (const { timer } of this.#until.values()) clearTimeout(timer);
    this.#until.clear();
  }

  #changed(): void {
    this.#list = [...this.#until.values()].map(({ user }) => user);
    this.onChange();
  }
}
