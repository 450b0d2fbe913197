import { tick } from "./asked.ts";
import type { Member, Message } from "./contract.ts";

/** A room's members: loaded now and then, their read markers kept by what is told in between. */
export class Members {
  #list: readonly Member[] = [];
  #isLoaded = false;
  /** Markers told, and when: an answer that was asked for before brings no older one back. */
  readonly #markers = new Map<number, { lastReadSeq: number; at: number }>();
  #loading: Promise<void> | null = null;
  #again = false;

  private readonly ask: () => Promise<Member[]>;

  /** @param ask for the list */
  constructor(ask: () => Promise<Member[]>) {
    this.ask = ask;
  }

  /** The same array until something changes. */
  get list(): readonly Member[] {
    return this.#list;
  }

  /** Asks for them; while that is under way, once more after it. @throws what `ask` does */
  load(): Promise<void> {
    this.#again = this.#loading !== null;
    this.#loading ??= this.#load().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  /** A read marker has moved. @returns whether that changes anything */
  read(userId: number, lastReadSeq: number): boolean {
    this.#markers.set(userId, { lastReadSeq, at: tick() });
    if (!this.#list.some((member) => member.user.id === userId && member.lastReadSeq !== lastReadSeq)) {
      return false;
    }
    this.#list = this.#list.map((member) =>
      member.user.id === userId ? { ...member, lastReadSeq } : member,
    );
    return true;
  }

  /** Whether a message that is heard tells that there is something new about them: who is there, or a name. */
  isNews({ kind, sender }: Message, isNew: boolean): boolean {
    if (!this.#isLoaded) return false;
    const member = this.#list.find(({ user }) => user.id === sender.id);
    return member ? member.user.name !== sender.name || (isNew && kind === "system") : isNew;
  }

  async #load(): Promise<void> {
    do {
      this.#again = false;
      const asked = tick();
      const members = await this.ask();
      this.#isLoaded = true;
      this.#list = members.map((member) => {
        const told = this.#markers.get(member.user.id);
        return told && told.at > asked ? { ...member, lastReadSeq: told.lastReadSeq } : member;
      });
      this.#markers.clear();
    } while (this.#again);
  }
}
