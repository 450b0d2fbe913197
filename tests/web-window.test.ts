import { describe, expect, test } from "bun:test";
import { noteAsked, tick } from "../src/web/client/asked.ts";
import type { Message, MessagesPage } from "../src/web/client/index.ts";
import { MessageWindow } from "../src/web/client/window.ts";

/** A room as its server has it: each message's text is the count of its changes. */
class Room {
  readonly #changes: number[] = [];
  send = () => {
    this.#changes.push(0);
    return this.message(this.#changes.length);
  };
  edit(seq: number): Message {
    (this.#changes[seq - 1] as number)++;
    return this.message(seq);
  }
  get last(): number {
    return this.#changes.length;
  }
  message = (seq: number): Message => ({
    roomId: 1,
    seq,
    kind: "text",
    sender: { id: 1, handle: "ada", name: "Ada" },
    body: String(this.#changes[seq - 1]),
    replyTo: null,
    mentions: [],
    reactions: [],
    clientId: null,
    createdAt: "",
    editedAt: null,
    deletedAt: null,
  });
  between(low: number, high: number): Message[] {
    const from = Math.max(low, 1);
    return Array.from({ length: Math.max(Math.min(high, this.last) - from + 1, 0) }, (_, i) =>
      this.message(from + i),
    );
  }
  /** A page as it is now, asked for just before. */
  page(low: number, high: number): MessagesPage {
    const asked = tick();
    const messages = this.between(low, high);
    const page = {
      messages,
      cursor: "",
      before: low > 1 ? low : null,
      after: high < this.last ? high : null,
    };
    noteAsked(page, asked);
    return page;
  }
  newest = () => this.page(this.last - 49, this.last);
}

const filled = (count: number) => {
  const room = new Room();
  for (let i = 0; i < count; i++) room.send();
  return room;
};
const opened = (room: Room) => {
  const window = new MessageWindow();
  window.replace(room.newest());
  return window;
};
const seqs = (window: MessageWindow) => window.messages.map(({ seq }) => seq);
const range = (low: number, high: number) => Array.from({ length: high - low + 1 }, (_, i) => low + i);
const holds = (window: MessageWindow, room: Room) => {
  const [first, last] = [window.messages[0]?.seq ?? 1, window.messages.at(-1)?.seq ?? 0];
  expect(window.messages).toEqual(room.between(first, last));
  return [first, last];
};

describe("a window of messages", () => {
  test("grows at either side, gives as much up at the other, and knows its ends", () => {
    const room = filled(1_000);
    const window = opened(room);
    expect(window.atEnd && !window.atStart).toBe(true);
    for (let low = 951; low > 1; low -= 50) window.extend("older", room.page(low - 50, low - 1));
    expect(holds(window, room)).toEqual([1, 300]);
    expect(window.atStart && !window.atEnd).toBe(true);
    for (let high = 300; high < 1_000; high += 50) window.extend("newer", room.page(high + 1, high + 50));
    expect(holds(window, room)).toEqual([701, 1_000]);
    expect(window.atEnd && !window.atStart).toBe(true);
  });

  test("at the end takes what comes, and stays bounded", () => {
    const room = filled(40);
    const window = opened(room);
    for (let i = 0; i < 1_000; i++) {
      window.hear([room.send()], false);
      expect(window.messages.length).toBeLessThanOrEqual(350);
    }
    expect(holds(window, room)[1]).toBe(1_040);
    expect(window.atEnd).toBe(true);
  });

  test("elsewhere leaves new ones out, and takes changes of what it holds", () => {
    const room = filled(200);
    const window = opened(room);
    window.replace(room.page(100, 149));
    expect(window.atEnd || window.atStart).toBe(false);
    window.hear([room.edit(120), room.send()], false);
    expect(holds(window, room)).toEqual([100, 149]);
  });

  test("is not brought back by an answer that an event has overtaken", () => {
    const room = filled(200);
    const window = opened(room);
    const [older, around, put] = [room.page(101, 150), room.page(140, 189), room.message(160)];
    noteAsked(put, tick());
    window.hear([room.edit(120), room.edit(150), room.edit(160), room.send()], false);
    window.extend("older", older);
    expect(holds(window, room)).toEqual([101, 201]);
    window.put(put);
    holds(window, room);
    window.replace(around);
    expect(holds(window, room)).toEqual([140, 189]);
  });

  test("is not brought back by an answer that a reset has overtaken", () => {
    const room = filled(200);
    const window = opened(room);
    const [older, newest, put] = [room.page(101, 150), room.newest(), room.message(160)];
    noteAsked(put, tick());
    room.edit(120);
    room.edit(160);
    window.hear(room.between(151, 200), true);
    window.put(put);
    window.refresh(newest);
    window.extend("older", older);
    expect(window.replace(newest)).toBe(false);
    expect(holds(window, room)).toEqual([151, 200]);
  });

  test("that loads the newest while more come holds those, too", () => {
    const room = filled(60);
    const window = new MessageWindow();
    const page = room.newest();
    window.hear([room.send(), room.send()], false);
    window.replace(page);
    expect(holds(window, room)).toEqual([11, 62]);
    expect(window.atEnd).toBe(true);
  });

  test("that reaches for the end while more come than it hears of is not at the end", () => {
    const room = filled(300);
    const window = opened(room);
    window.replace(room.page(200, 249));
    const newer = room.page(250, 300);
    window.hear([room.send()], false);
    window.extend("newer", newer);
    expect(holds(window, room)).toEqual([200, 301]);
    expect(window.atEnd).toBe(true);
    room.send();
    window.hear([room.send()], false); // 302 is missing
    expect(holds(window, room)).toEqual([200, 301]);
    expect(window.atEnd).toBe(false);
  });

  test("that has got further by itself than a page that it asked for is still at the end", () => {
    const room = filled(100);
    const window = opened(room);
    window.replace(room.page(1, 40));
    const newer = room.page(41, 60); // there was more after it
    window.replace(room.newest());
    window.extend("newer", newer);
    expect(holds(window, room)).toEqual([51, 100]);
    expect(window.atEnd).toBe(true);
  });

  test("takes the answer to a send that others overtook once it joins", () => {
    const room = filled(10);
    const window = opened(room);
    const [other, mine] = [room.send(), room.send()];
    window.put(mine);
    expect(seqs(window)).toEqual(range(1, 10));
    expect(window.atEnd).toBe(false);
    window.hear([other], false);
    expect(seqs(window)).toEqual(range(1, 12));
    expect(window.atEnd).toBe(true);
  });

  test("at the end is replaced by a reset; elsewhere it asks to be loaded again", () => {
    const room = filled(1_000);
    const window = opened(room);
    for (let i = 0; i < 100; i++) room.send();
    expect(window.hear(room.newest().messages, true)).toBe(true);
    expect(holds(window, room)).toEqual([1_051, 1_100]);
    expect(window.atEnd).toBe(true);
    window.replace(room.page(100, 149));
    expect(window.hear(room.newest().messages, true)).toBe(false);
    expect(window.atEnd).toBe(false);
  });

  test("of an empty room has both ends", () => {
    const room = new Room();
    const window = opened(room);
    expect(window.atStart && window.atEnd).toBe(true);
    window.hear([room.send()], false);
    expect(holds(window, room)).toEqual([1, 1]);
  });

  test("is a part of the room without gaps, and current, whatever crosses", () => {
    for (let round = 0; round < 1_000; round++) {
      const room = filled(Math.floor(Math.random() * 400));
      const window = opened(room);
      /** Answers that are under way: read already, and not yet arrived. */
      const under: (() => void)[] = [];
      /** Events that are under way, in their order. */
      const events: Message[] = [];
      const any = () => 1 + Math.floor(Math.random() * room.last);
      for (let step = 0; step < 60; step++) {
        const dice = Math.random();
        const [first, last] = [window.messages[0]?.seq ?? 1, window.messages.at(-1)?.seq ?? 0];
        if (dice < 0.25) events.push(room.send());
        else if (dice < 0.45 && room.last) events.push(room.edit(any()));
        else if (dice < 0.6) window.hear(events.splice(0, Math.ceil(Math.random() * events.length)), false);
        else if (dice < 0.7) {
          const page = room.page(first - 50, first - 1);
          under.push(() => window.extend("older", page));
        } else if (dice < 0.8) {
          const page = room.page(last + 1, last + 50);
          under.push(() => window.extend("newer", page));
        } else if (dice < 0.83 && room.last) {
          const page = room.page(any(), room.last);
          under.push(() => window.replace(page));
        } else if (dice < 0.86) {
          const page = room.newest();
          under.push(() => window.refresh(page));
        } else under.splice(Math.floor(Math.random() * under.length), 1)[0]?.();
        expect(seqs(window)).toEqual(range(window.messages[0]?.seq ?? 1, window.messages.at(-1)?.seq ?? 0));
      }
      for (const arrives of under) arrives();
      window.hear(events, false);
      const [, last] = holds(window, room);
      expect(window.atEnd).toBe(last === room.last);
    }
  });
});
