import { askedAt, tick } from "./asked.ts";
import type { Message, MessagesPage } from "./contract.ts";

/** Messages held at the most after paging, and how many more may come by the stream before the oldest ones go. */
const MOST = 300;
const SLACK = 50;
/** Messages of which it is remembered when they were heard: more than come while a request is under way. */
const MOST_HEARD = 1_000;

/**
 * A part of a room's messages without gaps, ascending. An answer to a request brings nothing back that something heard
 * after it was asked for has overtaken (asked.ts).
 */
export class MessageWindow {
  #messages: readonly Message[] = [];
  #isLoaded = false;
  /** The newest seq known of; 0: the room is empty. */
  #newest = 0;
  /** When the last reset came: what it replaced is known no more, so that no answer from before can be told to be current. */
  #resetAt = 0;
  /** What was heard and when, also of messages that are not in the window; the last heard comes last. */
  readonly #heard = new Map<number, { message: Message; at: number }>();

  /** The same array until something changes. */
  get messages(): readonly Message[] {
    return this.#messages;
  }

  get atStart(): boolean {
    return this.#isLoaded && (this.#messages[0]?.seq ?? 1) === 1;
  }

  get atEnd(): boolean {
    return this.#isLoaded && this.#last >= this.#newest;
  }

  /** Whether a seq is newer than all that was known of. */
  isNews(seq: number): boolean {
    return seq > this.#newest;
  }

  /** Moves to another place. @returns false: a reset has overtaken the page, and it has to be asked for again */
  replace(page: MessagesPage): boolean {
    const asked = askedAt(page);
    if (asked < this.#resetAt) return false;
    this.#messages = page.messages.map((message) => this.#current(message, asked));
    this.#isLoaded = true;
    this.#newest = this.#last + (page.after === null ? 0 : 1);
    for (const [seq, { at }] of this.#heard) if (at > asked) this.#newest = Math.max(this.#newest, seq);
    this.#goOn(asked);
    return true;
  }

  /**
   * Adds a page at one side; the far side gives as much up. What does not join (the window has moved), or was overtaken
   * by a reset, is left out.
   */
  extend(way: "older" | "newer", page: MessagesPage): void {
    const asked = askedAt(page);
    if (asked < this.#resetAt) return;
    const [first, last] = [this.#messages[0]?.seq ?? 1, this.#last];
    const fresh = page.messages
      .filter(({ seq }) => (way === "older" ? seq < first : seq > last))
      .map((message) => this.#current(message, asked));
    if (way === "older" && fresh.at(-1)?.seq === first - 1) {
      this.#messages = [...fresh, ...this.#messages].slice(0, MOST);
    }
    if (way === "newer" && (fresh.length === 0 || fresh[0]?.seq === last + 1)) {
      this.#messages = [...this.#messages, ...fresh].slice(-MOST);
      if (page.after !== null) this.#newest = Math.max(this.#newest, page.after + 1);
      this.#goOn(asked);
    }
  }

  /**
   * Takes states that came by the stream: each in place of its old self, new ones where they join.
   * @param reset whether they are the newest ones, and what was before may have changed as well
   * @returns false: they are elsewhere than the window, which has to be loaded again
   */
  hear(messages: readonly Message[], reset: boolean): boolean {
    if (reset) {
      const stays = this.#isLoaded && !this.atEnd;
      this.#heard.clear();
      this.#resetAt = tick();
      this.#newest = messages.at(-1)?.seq ?? 0;
      if (stays) return false;
      this.#messages = [...messages];
      this.#isLoaded = true;
      return true;
    }
    const at = tick();
    for (const message of messages) this.#note(message, at);
    this.#put(messages);
    return true;
  }

  /** Takes the answer of a write. */
  put(message: Message): void {
    if (askedAt(message) < Math.max(this.#resetAt, this.#heard.get(message.seq)?.at ?? 0)) return;
    this.#note(message, tick());
    this.#put([message]);
  }

  /** Takes the newest page, asked for in place of a stream. */
  refresh(page: MessagesPage): void {
    const asked = askedAt(page);
    if (asked < this.#resetAt) return; // the reset brought the newest ones
    const first = page.messages[0]?.seq ?? 1;
    if (this.atEnd && first > this.#last + 1) this.replace(page);
    else this.#put(page.messages.map((message) => this.#current(message, asked)));
  }

  get #last(): number {
    return this.#messages.at(-1)?.seq ?? 0;
  }

  #note(message: Message, at: number): void {
    this.#heard.delete(message.seq);
    this.#heard.set(message.seq, { message, at });
    for (const seq of this.#heard.keys()) {
      if (this.#heard.size <= MOST_HEARD) break;
      this.#heard.delete(seq);
    }
  }

  /** A message of an answer, or what was heard of it since. */
  #current(message: Message, asked: number): Message {
    const heard = this.#heard.get(message.seq);
    return heard && heard.at > asked ? heard.message : message;
  }

  #put(messages: readonly Message[]): void {
    if (!this.#isLoaded || messages.length === 0) return;
    const next = [...this.#messages];
    const first = next[0]?.seq ?? 1;
    for (const message of [...messages].sort((a, b) => a.seq - b.seq)) {
      const place = message.seq - first;
      if (place >= 0 && place <= next.length) next[place] = message;
      this.#newest = Math.max(this.#newest, message.seq);
    }
    this.#messages = next;
    this.#goOn(0);
    if (this.#messages.length > MOST + SLACK) this.#messages = this.#messages.slice(-MOST);
  }

  /** Adds what was heard before it joined, as the answer to a send that others overtook. */
  #goOn(after: number): void {
    const more: Message[] = [];
    for (;;) {
      const heard = this.#heard.get(this.#last + more.length + 1);
      if (!heard || heard.at <= after) break;
      more.push(heard.message);
    }
    if (more.length > 0) this.#messages = [...this.#messages, ...more];
  }
}
