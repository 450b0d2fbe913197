import type { Message } from "../../src/messages/queries.ts";
import type { Json, RoomList, Timeline } from "./client.ts";
import { Waiting } from "./waiting.ts";

export interface StreamEvent {
  event: string;
  data: any;
  /** The last event id once this event was dispatched. */
  id: string;
}

/** What a client holds when it comes. */
export interface Held {
  rooms?: Map<number, RoomList["rooms"][number]>;
  messages?: Map<number, Json<Message>>;
}

/** A reader of Server-Sent Events, as the HTML Standard says (9.2.6), with the reducers of the room list and of a timeline. */
export class EventReader {
  readonly events: StreamEvent[] = [];
  /** What the client holds: the reducer of the contract. */
  readonly rooms: Map<number, RoomList["rooms"][number]>;
  readonly messages: Map<number, Json<Message>>;
  lastEventId = "";
  retry = 0;
  /** Set when the server ended the stream. */
  ended = false;
  readonly #waiting = new Waiting();
  #abort: AbortController;

  private constructor(
    readonly response: Response,
    abort: AbortController,
    held: Held,
  ) {
    this.#abort = abort;
    this.rooms = new Map(held.rooms);
    this.messages = new Map(held.messages);
    void this.#read();
  }

  /**
   * @param held what the client holds already
   * @throws if the answer is no stream
   */
  static async open(url: string, headers: Record<string, string>, held: Held = {}): Promise<EventReader> {
    const abort = new AbortController();
    const response = await fetch(url, { headers, signal: abort.signal });
    if (response.status !== 200) {
      throw Object.assign(new Error(`stream: ${response.status} ${await response.text()}`), {
        status: response.status,
      });
    }
    return new EventReader(response, abort, held);
  }

  /** Waits until a condition holds over what has arrived. */
  async until(
    condition: (reader: EventReader) => boolean,
    what = String(condition),
    ms = 10_000,
  ): Promise<this> {
    await this.#waiting.until(() => condition(this), {
      what,
      ms,
      seen: () => JSON.stringify(this.events).slice(-2000),
      whyNever: () => (this.ended ? "the stream ended" : null),
    });
    return this;
  }

  /** Waits for the next event of a name, after so many of them. */
  async event(name: string, nth = 1): Promise<StreamEvent> {
    const found = () => this.events.filter(({ event }) => event === name)[nth - 1];
    await this.until(() => found() !== undefined, `${nth} × ${name}`);
    return found() as StreamEvent;
  }

  get bye(): string | undefined {
    return this.events.find(({ event }) => event === "bye")?.data.reason;
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    try {
      for await (const chunk of this.response.body ?? []) {
        text += decoder.decode(chunk, { stream: true });
        const blocks = text.split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) this.#dispatch(block);
        this.#waiting.arrived();
      }
    } catch {
      // The connection broke, or we closed it: both are an end.
    }
    this.ended = true;
    this.#waiting.arrived();
  }

  #dispatch(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split("\n")) {
      const colon = line.indexOf(": ");
      fields.set(line.slice(0, colon), line.slice(colon + 2));
    }
    this.retry = Number(fields.get("retry") ?? this.retry);
    this.lastEventId = fields.get("id") ?? this.lastEventId;
    const data = fields.get("data");
    if (data === undefined) return;
    const event = { event: fields.get("event") ?? "message", data: JSON.parse(data), id: this.lastEventId };
    this.events.push(event);
    if (event.event === "rooms") reduce(this.rooms, event.data);
    if (event.event === "messages") reduceMessages(this.messages, event.data);
  }
}

/** The contract's reducer: a reset replaces, else each row takes the place of its old self. */
export function reduce(held: Map<number, RoomList["rooms"][number]>, list: RoomList): void {
  if (list.reset) held.clear();
  for (const id of list.left) held.delete(id);
  for (const room of list.rooms) held.set(room.id, room);
}

/** The same for a room's messages. */
export function reduceMessages(held: Map<number, Json<Message>>, { reset, messages }: Timeline): void {
  if (reset) held.clear();
  for (const message of messages) held.set(message.seq, message);
}

/** The messages that a client holds, ascending. */
export const bySeq = (held: Map<number, Json<Message>>) => [...held.values()].sort((a, b) => a.seq - b.seq);

/** What a client holds, in the list's order: newest activity first, then the higher id. */
export const inOrder = (held: Map<number, RoomList["rooms"][number]>) =>
  [...held.values()].sort((a, b) => b.activeAt.localeCompare(a.activeAt) || b.id - a.id);
