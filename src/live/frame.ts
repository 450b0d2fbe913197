const encoder = new TextEncoder();

/** Milliseconds a client waits before it comes back; drawn anew for each stream, so that a crowd does not return as one. */
const RETRY_MS = { least: 1_000, most: 5_000 };

/** Why a stream ends; the last thing it says. */
export type ByeReason = "signed-out" | "removed" | "shutdown" | "slow" | "rotate";

/** What goes out to a client, in the form of each kind of connection; encoded once, however many get it. */
export class Frame {
  #sse: Uint8Array<ArrayBuffer> | undefined;
  #ws: string[] | undefined;

  constructor(
    /** How many events it holds, for the count of those that went out. */
    readonly events: number,
    private readonly sseText: () => string,
    private readonly wsTexts: () => string[],
  ) {}

  /** Server-Sent Events, as bytes. */
  get sse(): Uint8Array<ArrayBuffer> {
    this.#sse ??= encoder.encode(this.sseText());
    return this.#sse;
  }

  /** Messages of a WebSocket. */
  get ws(): readonly string[] {
    this.#ws ??= this.wsTexts();
    return this.#ws;
  }

  /** Several that go out as one. */
  static together(frames: Frame[]): Frame {
    if (frames.length === 1) return frames[0] as Frame;
    return new Frame(
      frames.reduce((sum, { events }) => sum + events, 0),
      () => frames.map((frame) => frame.sseText()).join(""),
      () => frames.flatMap((frame) => frame.ws),
    );
  }
}

/**
 * One event.
 * @param event a constant name
 * @param json one line, as JSON.stringify makes it
 * @param id digits, base64url and dots; left out where the event moves no cursor
 * @param roomId of a room's timeline: over a WebSocket one cannot tell otherwise
 */
export const eventFrame = (event: string, json: string, id?: string, roomId?: number): Frame =>
  new Frame(
    1,
    () => `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${json}\n\n`,
    () => [
      `{"event":"${event}"${roomId === undefined ? "" : `,"room":${roomId}`},"data":${json}${id === undefined ? "" : `,"id":"${id}"`}}`,
    ],
  );

/**
 * Moves the client's cursor of the room list and tells nothing: as a `Last-Event-ID` without an event (HTML Standard,
 * 9.2.6: an empty data buffer dispatches none), or over a WebSocket as an event with no rooms in it.
 */
export const cursorFrame = (cursor: string): Frame =>
  new Frame(
    0,
    () => `id: ${cursor}\n\n`,
    () => [...eventFrame("rooms", roomsJson(cursor, [], false), cursor).ws],
  );

/**
 * The data of the event `rooms`: the body of `GET /rooms`.
 * @param rooms each as JSON, or null: no longer theirs
 */
export function roomsJson(
  cursor: string,
  rooms: { roomId: number; json: string | null }[],
  reset: boolean,
): string {
  const here = rooms.flatMap(({ json }) => json ?? []).join();
  const left = reset ? "" : rooms.flatMap(({ roomId, json }) => (json === null ? roomId : [])).join();
  return `{"cursor":${JSON.stringify(cursor)},"rooms":[${here}],"left":[${left}],"reset":${reset}}`;
}

/** What every stream of Server-Sent Events begins with. */
export const retryFrame = (): Frame => {
  const ms = RETRY_MS.least + Math.floor(Math.random() * (RETRY_MS.most - RETRY_MS.least + 1));
  return new Frame(
    0,
    () => `retry: ${ms}\n\n`,
    () => [],
  );
};

/** A sign of life, for a client's watchdog. */
export const PING = eventFrame("ping", "{}");

/** @param roomId where it is only one room's timeline that ends, of all that a WebSocket brings */
export const byeFrame = (reason: ByeReason, roomId?: number): Frame =>
  eventFrame("bye", JSON.stringify({ reason }), undefined, roomId);
