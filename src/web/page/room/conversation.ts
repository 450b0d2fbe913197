import { batch, signal } from "@preact/signals";
import type { Client, Message, Pending, Timeline } from "../../client/index.ts";
import { ReadMarker } from "./marker.ts";
import { Scroll, type Target } from "./scroll.ts";

/** One open room in this tab: its messages, where the reader is, and what they are about to do. */
export class Conversation {
  readonly timeline: Timeline;
  readonly marker: ReadMarker;
  readonly scroll = new Scroll();
  /** Rises with every change of the timeline: what reads it is drawn anew. */
  readonly changes = signal(0);
  readonly pending = signal<readonly Pending[]>([]);
  /** The first message that was unread when one came: the line "new messages" stands above it. */
  readonly line = signal<number | null>(null);
  /** The message whose actions are shown. */
  readonly active = signal<number | null>(null);
  readonly replyingTo = signal<Message | null>(null);
  readonly editing = signal<Message | null>(null);
  /** Goes again where one wanted to go, when what is there could not be loaded. */
  #again: (() => void) | null = null;
  #opened = false;
  #unreadBefore = 0;
  #markedBefore: boolean;
  readonly #unlisten: (() => void)[];

  constructor(
    readonly client: Client,
    readonly roomId: number,
  ) {
    this.timeline = client.timeline(roomId);
    this.marker = new ReadMarker(client, roomId);
    this.#markedBefore = client.rooms.get(roomId)?.markedUnread ?? false;
    this.#unlisten = [
      this.timeline.listen(() => this.changes.value++),
      client.outbox.listen(() => {
        this.pending.value = client.outbox.of(roomId);
      }),
      client.rooms.listen(() => this.#follow()),
    ];
    this.pending.value = client.outbox.of(roomId);
  }

  /** Loads the messages around one of them, or else, the first time, where the reader left off. */
  open(seq: number | null): void {
    if (this.#opened) {
      if (seq !== null) this.jump(seq);
      return;
    }
    this.#opened = true;
    const room = this.client.rooms.get(this.roomId);
    const unread = room && room.unreadCount > 0 ? room.lastReadSeq + 1 : null;
    this.line.value = unread;
    this.#unreadBefore = room?.unreadCount ?? 0;
    if (seq !== null) this.jump(seq);
    else if (unread !== null) this.jumpToLine();
    else this.jumpToEnd();
  }

  /** Loads anew what could not be loaded. */
  retry(): void {
    if (this.#again) this.#again();
    else this.timeline.recover();
  }

  jump(seq: number): void {
    this.active.value = seq;
    this.#go({ seq, align: "middle" }, seq);
  }

  jumpToLine(): void {
    if (this.line.value !== null) this.#go("line", this.line.value);
  }

  jumpToEnd(): void {
    this.#go("end");
  }

  /** Marks the room unread from a message on; what is on screen does not read it again until one comes anew. */
  async markUnread(seq: number): Promise<void> {
    this.marker.hold();
    try {
      this.client.rooms.put(await this.client.api.markUnread(this.roomId, seq));
      this.line.value = seq;
    } catch (error) {
      this.marker.release();
      throw error;
    }
  }

  send(body: string): void {
    const replyTo = this.replyingTo.value?.seq;
    batch(() => {
      this.replyingTo.value = null;
      this.line.value = null;
      this.marker.release(); // sending reads the room
      this.client.outbox.send(this.roomId, body, replyTo);
      this.jumpToEnd();
    });
  }

  close(): void {
    for (const unlisten of this.#unlisten) unlisten();
    this.marker.close();
    this.timeline.close();
    this.scroll.detach();
  }

  /** @param seq the message that has to be there for it; the newest, if left out */
  #go(target: Target, seq?: number): void {
    this.#again = null;
    this.scroll.goTo(target);
    if (this.#holds(seq)) this.changes.value++;
    else void this.#load(target, seq);
  }

  #holds(seq: number | undefined): boolean {
    const { messages, atEnd } = this.timeline;
    if (seq === undefined) return atEnd;
    return seq >= (messages[0]?.seq ?? Number.POSITIVE_INFINITY) && seq <= (messages.at(-1)?.seq ?? 0);
  }

  async #load(target: Target, seq?: number): Promise<void> {
    const again = () => this.#go(target, seq);
    this.#again = again;
    await this.timeline.open(seq);
    if (this.#again === again && this.timeline.error === null) this.#again = null;
  }

  /** Follows the room's row in the list: somewhere else it may be marked as unread, or read. */
  #follow(): void {
    const room = this.client.rooms.get(this.roomId);
    if (!room) return;
    if (room.markedUnread && !this.#markedBefore) {
      this.marker.hold();
      this.line.value = room.lastReadSeq + 1;
    } else if (room.unreadCount > 0 && this.#unreadBefore === 0 && !this.scroll.following) {
      this.line.value = room.lastReadSeq + 1;
    }
    this.#markedBefore = room.markedUnread;
    this.#unreadBefore = room.unreadCount;
  }
}
