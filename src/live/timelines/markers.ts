import { eventFrame, type Frame } from "../frame.ts";

/**
 * The read markers of a room, as far as they were seen to move while somebody watched. Each move has a version: a
 * timeline remembers up to which it was told, and is told what is newer with whatever comes next, however long it had to wait.
 */
export class Markers {
  #version = 0;
  readonly #markers = new Map<number, { lastReadSeq: number; version: number; frame: Frame }>();

  constructor(private readonly roomId: number) {}

  /** Of the last move. */
  get version(): number {
    return this.#version;
  }

  /** Notes where a person's marker is now. */
  move(userId: number, lastReadSeq: number): void {
    if (this.#markers.get(userId)?.lastReadSeq === lastReadSeq) return;
    const json = `{"userId":${userId},"lastReadSeq":${lastReadSeq}}`;
    this.#markers.set(userId, {
      lastReadSeq,
      version: ++this.#version,
      frame: eventFrame("read", json, undefined, this.roomId),
    });
  }

  /** What moved after a version: each person's newest. */
  since(version: number): Frame[] {
    if (version === this.#version) return [];
    return [...this.#markers.values()].flatMap((marker) => (marker.version > version ? marker.frame : []));
  }
}
