import { eventFrame, Frame } from "../frame.ts";
import type { Markers } from "./markers.ts";
import type { Stretch } from "./source.ts";
import { cursorOf, type Place, type TimelineSubscription } from "./subscription.ts";

/** What one place in a room brings, made once for all who stand there. */
export class News {
  /** Where it leads. */
  readonly #to: Place;
  /** Whether those who have started are told messages. */
  readonly #moves: boolean;
  #messages: Frame | undefined;
  /** By the version of the markers up to which a timeline was told; null: nothing to say. */
  readonly #made = new Map<number, Frame | null>();

  /** @param from the cursor of those who stand there */
  constructor(
    private readonly roomId: number,
    from: string,
    private readonly stretch: Stretch,
    private readonly markers: Markers,
    private readonly typing: Frame[],
  ) {
    this.#to = { cursor: cursorOf(stretch.position), markers: markers.version };
    this.#moves = stretch.reset || from !== this.#to.cursor;
  }

  /** @returns how many events went out */
  tell(timeline: TimelineSubscription, now: number): number {
    // The first event goes out even where it has nothing to tell: it confirms the cursor.
    const frame = timeline.started ? this.#since(timeline.markers) : this.#messagesFrame();
    return timeline.advance(this.#to, frame, now);
  }

  #since(version: number): Frame | null {
    let frame = this.#made.get(version);
    if (frame === undefined) {
      const frames = [
        ...(this.#moves ? [this.#messagesFrame()] : []),
        ...this.markers.since(version),
        ...this.typing,
      ];
      frame = frames.length > 0 ? Frame.together(frames) : null;
      this.#made.set(version, frame);
    }
    return frame;
  }

  #messagesFrame(): Frame {
    const { reset, messages } = this.stretch;
    const { cursor } = this.#to;
    this.#messages ??= eventFrame(
      "messages",
      `{"reset":${reset},"messages":[${messages.map(({ json }) => json).join()}],"cursor":"${cursor}"}`,
      cursor,
      this.roomId,
    );
    return this.#messages;
  }
}
