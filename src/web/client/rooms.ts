import type { Room, RoomsPage } from "./contract.ts";
import { Listeners } from "./listeners.ts";

/** The room list that one holds. */
export class RoomList {
  readonly #rooms = new Map<number, Room>();
  readonly #listeners = new Listeners();

  all(): readonly Room[] {
    return [...this.#rooms.values()];
  }
  get(id: number): Room | undefined {
    return this.#rooms.get(id);
  }
  totals(): { unread: number; mentions: number } {
    return { unread: 0, mentions: 0 };
  }
  apply(_page: RoomsPage): void {}
  put(_room: Room): void {}
  drop(_id: number): void {}
  listen(fn: () => void): () => void {
    return this.#listeners.add(fn);
  }
}
