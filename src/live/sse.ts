const encoder = new TextEncoder();

/** Milliseconds a client waits before it comes back; drawn anew for each stream, so that a crowd does not return as one. */
const RETRY_MS = { least: 1_000, most: 5_000 };

/** Why a stream ends; the last thing it says. */
export type ByeReason = "signed-out" | "removed" | "shutdown" | "slow" | "rotate";

/**
 * One event as it goes over the wire.
 * @param event a constant name
 * @param json one line, as JSON.stringify makes it
 * @param id digits, base64url and dots; left out where the event moves no cursor
 */
export const eventFrame = (event: string, json: string, id?: string): Uint8Array<ArrayBuffer> =>
  encoder.encode(`event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${json}\n\n`);

/** Moves the client's `Last-Event-ID` and dispatches nothing (HTML Standard, 9.2.6: an empty data buffer is no event). */
export const cursorFrame = (id: string): Uint8Array<ArrayBuffer> => encoder.encode(`id: ${id}\n\n`);

/** What every stream begins with. */
export const retryFrame = (): Uint8Array<ArrayBuffer> => {
  const ms = RETRY_MS.least + Math.floor(Math.random() * (RETRY_MS.most - RETRY_MS.least + 1));
  return encoder.encode(`retry: ${ms}\n\n`);
};

/** A sign of life, for a client's watchdog. */
export const PING = eventFrame("ping", "{}");

export const byeFrame = (reason: ByeReason): Uint8Array<ArrayBuffer> =>
  eventFrame("bye", JSON.stringify({ reason }));
