import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Stage, Talker } from "./cast.ts";
import { duration } from "./progress.ts";
import { LINES, OPENERS, TAILS, THINGS } from "./words.ts";

const RETRY_MS = 1_000;
/** A server that says nothing for so long is away. */
const ANSWER_MS = 10_000;
/** Behind by more, the pace starts anew instead of catching up in a burst. */
const LATE_MS = 1_000;

/** Shares of messages that name the demo's account, and after which somebody else reads the room. */
const MENTION_SHARE = 0.12;
const READ_SHARE = 0.2;

export interface TalkOptions {
  /** The server's address, without a slash at its end. */
  url: string;
  /** Messages a second. */
  rate: number;
  /** The demo account's handle, to be mentioned. */
  handle: string;
  /** Ends the talk. */
  signal: AbortSignal;
  /** One line for whoever watches. */
  say(line: string): void;
}

/** The server refuses what the talk is made of: it has no sense to go on. */
export class TalkRefused extends Error {
  override name = "TalkRefused";
}

/**
 * Keeps people talking through the HTTP API until it is told to stop: a message in a busy room rather than in a quiet
 * one, now and then with a mention, now and then somebody reads. A server that is away is waited for, and a message
 * whose answer got lost is sent again under the same clientId, so it is there once.
 * @param stages busiest first
 * @returns how many messages were sent, into how many rooms
 * @throws TalkRefused when the server does not know the talkers, or there is no room to talk in
 */
export async function talk(stages: Stage[], options: TalkOptions): Promise<{ sent: number; rooms: number }> {
  const { rate, handle, signal, say } = options;
  const server = new PatientClient(options);
  const open = [...stages];
  const rooms = new Set<number>();
  let sent = 0;
  let next = performance.now();
  while (!signal.aborted && open.length > 0) {
    const stage = open[byZipf(open.length)] as Stage;
    const talker = oneOf(stage.talkers);
    const path = `rooms/${stage.roomId}`;
    const body = line(handle);
    const answer = await server.call(talker, "POST", `${path}/messages`, { body, clientId: randomUUID() });
    if (answer?.ok) {
      sent++;
      rooms.add(stage.roomId);
      say(`${stage.name} ${talker.handle}: ${body}`);
      const { seq } = (await answer.json()) as { seq: number };
      const reader = oneOf(stage.talkers);
      if (reader !== talker && Math.random() < READ_SHARE) {
        await server.call(reader, "PUT", `${path}/read`, { seq });
      }
    } else if (answer) {
      say(`${stage.name} is closed to ${talker.handle} (${answer.status}): nobody talks there any more`);
      open.splice(open.indexOf(stage), 1);
    }
    next = Math.max(next + 1000 / rate, performance.now() - LATE_MS);
    await pause(next - performance.now(), signal);
  }
  if (open.length === 0)
    throw new TalkRefused(`Nobody shares a room with ${handle}: there is no talk to hear.`);
  return { sent, rooms: rooms.size };
}

/** Calls the server until it answers; says once that it is away, and once that it is back. */
class PatientClient {
  #awaySince: number | null = null;

  constructor(readonly options: Pick<TalkOptions, "url" | "signal" | "say">) {}

  /**
   * @returns a success, or the refusal of this one request (403, 404); undefined when told to stop
   * @throws TalkRefused for any other refusal
   */
  async call(talker: Talker, method: string, path: string, body: unknown): Promise<Response | undefined> {
    const { url, signal, say } = this.options;
    while (!signal.aborted) {
      const answer = await fetch(`${url}/chat/api/${path}`, {
        method,
        headers: { authorization: `Bearer ${talker.token}`, "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
      }).catch(() => null);
      if (answer && answer.status < 500 && answer.status !== 429) {
        if (this.#awaySince !== null) {
          say(`${url} is back after ${duration((performance.now() - this.#awaySince) / 1000)}`);
          this.#awaySince = null;
        }
        if (answer.ok || answer.status === 403 || answer.status === 404) return answer;
        throw new TalkRefused(
          answer.status === 401
            ? `${url} does not know the talkers: does it run on this database, and is this the only demo that talks?`
            : `${url} refuses ${method} ${path} with ${answer.status}: ${await answer.text()}`,
        );
      }
      if (signal.aborted) break;
      const wait = answer?.status === 429 ? Number(answer.headers.get("retry-after") ?? 1) * 1000 : RETRY_MS;
      if (answer?.status !== 429 && this.#awaySince === null) {
        this.#awaySince = performance.now();
        say(
          `${url} ${answer ? `answers ${answer.status}` : "is away"}: trying again every second (a server starts with: npx -y bun@1.4.5 start)`,
        );
      }
      await pause(wait, signal);
    }
    return undefined;
  }
}

/** Waits so many milliseconds, or until it is told to stop. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  setTimeout(Math.max(ms, 0), undefined, { signal }).catch(() => {});

/** An index below `length`, the first one the likeliest: the n-th has an n-th of its chance. */
function byZipf(length: number): number {
  let total = 0;
  for (let n = 1; n <= length; n++) total += 1 / n;
  let left = Math.random() * total;
  let index = 0;
  while (index < length - 1) {
    left -= 1 / (index + 1);
    if (left < 0) break;
    index++;
  }
  return index;
}

const oneOf = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;

function line(handle: string): string {
  const said = oneOf(LINES).replace("{}", oneOf(THINGS));
  const name = Math.random() < MENTION_SHARE ? `@${handle} ` : "";
  const opener = Math.random() < 0.25 ? `${oneOf(OPENERS)} ` : "";
  const tail = Math.random() < 0.12 ? ` ${oneOf(TAILS)}` : "";
  return `${name}${opener}${said}${tail}`;
}
