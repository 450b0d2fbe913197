import type { Member, Message, User } from "./contract.ts";
import type { ApiError, NetworkError } from "./errors.ts";
import { Listeners } from "./listeners.ts";

/** A bounded window of one room's messages, ascending by seq, contiguous. */
export class Timeline {
  readonly messages: readonly Message[] = [];
  readonly atStart: boolean = false;
  readonly atEnd: boolean = false;
  readonly loading: "first" | "older" | "newer" | null = null;
  readonly error: ApiError | NetworkError | null = null;
  readonly gone: boolean = false;
  readonly members: readonly Member[] = [];
  readonly typing: readonly User[] = [];
  readonly #listeners = new Listeners();

  constructor(readonly roomId: number) {}
  async open(_around?: number): Promise<void> {}
  async older(): Promise<void> {}
  async newer(): Promise<void> {}
  async toEnd(): Promise<void> {}
  put(_message: Message): void {}
  async reloadMembers(): Promise<void> {}
  listen(fn: () => void): () => void {
    return this.#listeners.add(fn);
  }
  close(): void {}
}
