import { eventFrame, Frame } from "../frame.ts";
import type { Markers } from "./markers.ts";
import type { Stretch } from "./source.ts";
import { cursorOf, type TimelineSubscription } from "./subscription.ts";

/** What one place in a room brings, made once for all who stand there. */
export class News {
  readonly #cursor: string;
  #messages: Frame | undefined;
  /** By the version of the markers up to which a timeline was told, and whether its cursor moves. */
  readonly #made = new Map<string, Frame | null>();

  constructor(
    private readonly roomId: number,
    private readonly stretch: Stretch,
    private readonly markers: Markers,
    private readonly typing: Frame[],
  ) {
    this.#cursor = cursorOf(stretch.position);
  }

  /** @returns how many events went out */
  tell(timeline: TimelineSubscription, now: number): number {
    const { version } = this.markers;
    // The first event goes out even where it has nothing to tell: it confirms the cursor.
    const frame = timeline.started ? this.#since(timeline) : this.#messagesFrame();
    return timeline.advance({ cursor: this.#cursor, markers: version }, frame, now);
  }

  #since({ cursor, markers }: TimelineSubscription): Frame | null {
    const moves = this.stretch.reset || cursor !== this.#cursor;
    const key = `${moves} ${markers}`;
    let frame = this.#made.get(key);
    if (frame === undefined) {
      const frames = [
        ...(moves ? [this.#messagesFrame()] : []),
        ...this.markers.since(markers),
        ...this.typing,
      ];
      frame = frames.length > 0 ? Frame.together(frames) : null;
      this.#made.set(key, frame);
    }
    return frame;
  }

  #messagesFrame(): Frame {
    const { reset, messages } = this.stretch;
    this.#messages ??= eventFrame(
      "messages",
      `{"reset":${reset},"messages":[${messages.map(({ json }) => json).join()}],"cursor":"${this.#cursor}"}`,
      this.#cursor,
      this.roomId,
    );
    return this.#messages;
  }
}
