import { askedAt, tick } from "./asked.ts";
import type { Room, RoomsPage } from "./contract.ts";
import { Listeners } from "./listeners.ts";

/** The list's order: newest activity first, then the higher id. All times have the same form, so text compares as time. */
const inOrder = (a: Room, b: Room): number =>
  a.activeAt === b.activeAt ? b.id - a.id : a.activeAt < b.activeAt ? 1 : -1;

/**
 * The room list that one holds: reset replaces, else each room takes the place of its old self. An answer to a request
 * brings nothing back that something heard after it was asked for has overtaken (asked.ts).
 */
export class RoomList {
  readonly #rooms = new Map<number, Room>();
  /** When each was last heard of; also those that left, or an older answer would bring them back. */
  readonly #heard = new Map<number, number>();
  #resetAt = 0;
  #sorted: readonly Room[] = [];
  #totals: { unread: number; mentions: number } | undefined;
  /** What `#sorted` does not show yet; null: nothing of it holds. */
  #unsorted: Set<number> | null = new Set();
  readonly #listeners = new Listeners();

  /** Newest activity first; the same array until something changes. */
  all(): readonly Room[] {
    if (this.#unsorted === null) this.#sorted = [...this.#rooms.values()].sort(inOrder);
    else if (this.#unsorted.size > 0) this.#sorted = this.#merged(this.#unsorted);
    this.#unsorted = new Set();
    return this.#sorted;
  }

  get(id: number): Room | undefined {
    return this.#rooms.get(id);
  }

  /** Over all rooms. */
  totals(): { unread: number; mentions: number } {
    if (!this.#totals) {
      this.#totals = { unread: 0, mentions: 0 };
      for (const { unreadCount, mentionCount } of this.#rooms.values()) {
        this.#totals.unread += unreadCount;
        this.#totals.mentions += mentionCount;
      }
    }
    return this.#totals;
  }

  /** @returns whether all of it was taken, and nothing left out that is overtaken or in doubt */
  apply(page: RoomsPage): boolean {
    const asked = askedAt(page);
    if (asked < this.#resetAt) return false;
    let isWhole = true;
    const isOvertaken = (id: number) => {
      const overtaken = (this.#heard.get(id) ?? 0) > asked;
      if (overtaken) isWhole = false;
      return overtaken;
    };
    if (page.reset) {
      this.#resetAt = asked;
      this.#unsorted = null;
      for (const id of this.#rooms.keys()) if (!isOvertaken(id)) this.#rooms.delete(id);
      for (const [id, at] of this.#heard) if (at <= asked) this.#heard.delete(id);
    }
    for (const id of page.left) if (!isOvertaken(id)) this.#set(id, undefined, asked);
    for (const room of page.rooms) if (!isOvertaken(room.id)) this.#set(room.id, room, asked);
    if (page.reset || page.left.length + page.rooms.length > 0) this.#changed();
    return isWhole;
  }

  /** Takes the answer of a write at once; the stream will repeat it. */
  put(room: Room): void {
    const asked = askedAt(room);
    if (asked < Math.max(this.#resetAt, this.#heard.get(room.id) ?? 0)) return;
    this.#set(room.id, room, tick());
    this.#changed();
  }

  /** Takes a room out at once: one has left it. */
  drop(id: number): void {
    this.#set(id, undefined, tick());
    this.#changed();
  }

  /** @param fn called once a change, not once a room */
  listen(fn: () => void): () => void {
    return this.#listeners.add(fn);
  }

  #set(id: number, room: Room | undefined, at: number): void {
    if (room) this.#rooms.set(id, room);
    else this.#rooms.delete(id);
    this.#heard.set(id, at);
    this.#unsorted?.add(id);
  }

  #changed(): void {
    this.#totals = undefined;
    this.#listeners.tell();
  }

  /** Two sorted rows into one: a change of one room of 5,000 costs one walk, not a sort. */
  #merged(changed: Set<number>): Room[] {
    const news = [...changed].flatMap((id) => this.#rooms.get(id) ?? []).sort(inOrder);
    const merged: Room[] = [];
    let next = 0;
    for (const room of this.#sorted) {
      if (changed.has(room.id)) continue;
      while (next < news.length && inOrder(news[next] as Room, room) < 0) merged.push(news[next++] as Room);
      merged.push(room);
    }
    return merged.concat(news.slice(next));
  }
}
