import { describe, expect, test } from "bun:test";
import { noteAsked, tick } from "../src/web/client/asked.ts";
import { type Room, RoomList, type RoomsPage } from "../src/web/client/index.ts";
import { inOrder, reduce } from "./support/events.ts";

const room = (id: number, minute: number, more: Partial<Room> = {}): Room => ({
  id,
  kind: "open",
  name: `room ${id}`,
  topic: null,
  role: "member",
  involvement: "all",
  lastSeq: 0,
  lastReadSeq: 0,
  unreadCount: id,
  mentionCount: 1,
  markedUnread: false,
  lastMessage: null,
  activeAt: new Date(Date.UTC(2026, 0, 1) + minute * 60_000).toISOString(),
  memberCount: 1,
  peers: null,
  ...more,
});
const page = (rooms: Room[], left: number[] = [], reset = false): RoomsPage => ({
  cursor: "c",
  rooms,
  left,
  reset,
});
/** An answer to a request that is sent now. */
const answer = <T extends object>(body: T): T => {
  noteAsked(body, tick());
  return body;
};
const names = (list: RoomList) => list.all().map(({ name }) => name);

describe("the room list", () => {
  test("is what the contract's reducer gives, in order, after any changes", () => {
    for (let round = 0; round < 200; round++) {
      const list = new RoomList();
      const held = new Map();
      for (let step = 0; step < 30; step++) {
        const some = () =>
          Array.from({ length: Math.random() * 5 }, () => 1 + Math.floor(Math.random() * 12));
        const ids = new Set(some());
        const change = page(
          [...ids].map((id) => room(id, Math.floor(Math.random() * 4))),
          some().filter((id) => !ids.has(id)),
          Math.random() < 0.1,
        );
        if (change.reset) change.left = [];
        list.apply(change);
        reduce(held, change);
        if (Math.random() < 0.5) continue; // looked at now and then
        expect(list.all()).toEqual(inOrder(held));
        expect(list.totals().unread).toBe(list.all().reduce((sum, { unreadCount }) => sum + unreadCount, 0));
      }
    }
  });

  test("is the same array until something changes, and tells once a change", () => {
    const list = new RoomList();
    let told = 0;
    const forget = list.listen(() => told++);
    list.apply(page([room(1, 1), room(2, 2), room(3, 3)], [], true));
    expect(told).toBe(1);
    const all = list.all();
    list.apply(page([]));
    expect(list.all()).toBe(all);
    expect(told).toBe(1);
    list.put(room(1, 4));
    expect(list.all()).not.toBe(all);
    list.drop(2);
    expect(told).toBe(3);
    forget();
    list.drop(1);
    expect(told).toBe(3);
    expect(list.all().map(({ id }) => id)).toEqual([3]);
  });

  test("takes back nothing that was heard after an answer had been asked for", () => {
    const list = new RoomList();
    list.apply(page([room(1, 1), room(2, 1), room(3, 1)], [], true));
    const [changes, whole, put] = [
      answer(page([room(1, 2, { name: "old" }), room(3, 2, { name: "fetched" })])),
      answer(page([room(1, 2, { name: "old" }), room(2, 2, { name: "old" }), room(3, 2)], [], true)),
      answer(room(1, 2, { name: "old" })),
    ];
    list.apply(page([room(1, 3, { name: "heard" })], [2]));
    expect(list.apply(changes)).toBe(false);
    expect(names(list)).toEqual(["heard", "fetched"]);
    expect(list.apply(whole)).toBe(false);
    expect(names(list)).toEqual(["heard", "room 3"]); // of two answers, the one that was asked for later
    list.put(put);
    expect(list.get(1)?.name).toBe("heard");
    list.put(answer(room(1, 4, { name: "new" })));
    expect(list.get(1)?.name).toBe("new");
  });

  test("takes nothing from an answer that a reset has overtaken", () => {
    const list = new RoomList();
    const [late, put] = [answer(page([room(1, 1)], [], true)), answer(room(1, 1))];
    list.apply(page([room(2, 2)], [], true));
    expect(list.apply(late)).toBe(false);
    list.put(put);
    expect(list.all().map(({ id }) => id)).toEqual([2]);
  });
});
