import { batch, signal } from "@preact/signals";
import type { Client, Message, Pending, Timeline } from "../../client/index.ts";
import { ReadMarker } from "./marker.ts";
import { Scroll } from "./scroll.ts";

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
    else void this.timeline.open();
  }

  /** Loads anew what could not be loaded. */
  retry(): void {
    const around = this.timeline.messages.at(0)?.seq ?? this.line.peek() ?? undefined;
    void this.timeline.open(around);
  }

  jump(seq: number): void {
    this.scroll.goTo({ seq, align: "middle" });
    this.active.value = seq;
    this.#loadAround(seq);
  }

  jumpToLine(): void {
    if (this.line.value === null) return;
    this.scroll.goTo("line");
    this.#loadAround(this.line.value);
  }

  jumpToEnd(): void {
    this.scroll.goTo("end");
    if (this.timeline.atEnd) this.changes.value++;
    else void this.timeline.toEnd();
  }

  /** Marks the room unread from a message on; what is on screen does not read it again until one comes anew. */
  async markUnread(seq: number): Promise<void> {
    this.marker.hold();
    this.client.rooms.put(await this.client.api.markUnread(this.roomId, seq));
    this.line.value = seq;
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

  #loadAround(seq: number): void {
    const { messages } = this.timeline;
    const first = messages[0]?.seq ?? Number.POSITIVE_INFINITY;
    const last = messages.at(-1)?.seq ?? 0;
    if (seq >= first && seq <= last) this.changes.value++;
    else void this.timeline.open(seq);
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
