import { join } from "node:path";

/** What a client asks for. */
export interface StreamOf {
  path: string;
  token?: string;
}

/** To the crowd (bench/load/listeners.ts). */
export type Order =
  | { kind: "open"; port: number; streams: StreamOf[]; ready: string; atOnce: number }
  | { kind: "reopen"; port: number; atOnce: number }
  | { kind: "watch"; first: number; messages: number }
  | { kind: "delivered"; ms: number }
  | { kind: "lose"; ms: number }
  | { kind: "close" };

/** Of the crowd; to each order its own part. */
export interface Answer {
  /** What went wrong; empty: nothing. */
  failure?: string;
  seconds?: number;
  /** How many clients did not get each message exactly once. */
  wrong?: number;
  delivered?: number;
  /** When each message had come to the last client; 0: it has not. */
  times?: number[];
}

/** What the crowd got of the messages that it watched for. */
export interface Deliveries {
  /** Whether each client got each message exactly once. */
  complete: boolean;
  /** Messages that came, all clients together. */
  delivered: number;
  /** By message, when the last client had it, by now(); 0: not all have. */
  times: number[];
}

/** How many are on their way at a time while a crowd comes in. */
export const AT_ONCE = 256;
/** Files that a process has open besides its streams, at most. */
const OTHER_FILES = 200;

/** Milliseconds by a clock that all processes of this machine share. */
export const now = (): number => performance.timeOrigin + performance.now();

/** The mark by which a message is told from every other. @param number below 100 million */
export const markOf = (number: number): string => `#${String(number).padStart(8, "0")}#`;

/**
 * How many files a process may have open.
 * @param streams that it is to have open
 * @throws Error where they are too few
 */
export async function openFiles(streams: number): Promise<number> {
  const limits = await Bun.file("/proc/self/limits").text();
  const most = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? 0);
  if (most >= streams + OTHER_FILES) return most;
  throw new Error(
    `${streams} streams want ${streams + OTHER_FILES} open files, and a process may have ${most}: raise it (ulimit -Hn) and start again`,
  );
}

/** Clients that listen, all in one process of their own. One order at a time. */
export class Listeners {
  readonly #child: Bun.Subprocess;
  #answer: PromiseWithResolvers<Answer> = Promise.withResolvers();

  constructor() {
    this.#child = Bun.spawn([process.execPath, join(import.meta.dir, "load/listeners.ts")], {
      stdio: ["ignore", "ignore", "inherit"],
      ipc: (answer: Answer) => this.#answer.resolve(answer),
      onExit: () => this.#answer.reject(new Error("the listeners have ended")),
    });
    this.#answer.promise.catch(() => {});
  }

  /**
   * Opens streams.
   * @param ready the text after which one counts as open
   * @returns seconds until the last one was
   * @throws Error where one was refused, or could not be opened
   */
  async open(url: string, streams: StreamOf[], ready: string): Promise<number> {
    await openFiles(streams.length);
    const port = Number(new URL(url).port);
    const { seconds = 0 } = await this.#order({ kind: "open", port, streams, ready, atOnce: AT_ONCE });
    return seconds;
  }

  /** Opens them all again, each from where it was. @returns seconds until the last one was open */
  async reopen(url: string): Promise<number> {
    const port = Number(new URL(url).port);
    return (await this.#order({ kind: "reopen", port, atOnce: AT_ONCE })).seconds ?? 0;
  }

  /** From now on messages with these marks are counted, and no others. */
  async watch(first: number, messages: number): Promise<void> {
    await this.#order({ kind: "watch", first, messages });
  }

  /** Waits until they have all come. @param ms at most */
  async delivered(ms: number): Promise<Deliveries> {
    const { wrong, delivered = 0, times = [] } = await this.#order({ kind: "delivered", ms });
    return { complete: wrong === 0, delivered, times };
  }

  /** The server may close the streams now. @throws Error where one is still open after so long */
  async lose(ms: number): Promise<void> {
    await this.#order({ kind: "lose", ms });
  }

  async close(): Promise<void> {
    await this.#order({ kind: "close" });
  }

  async stop(): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
  }

  async #order(order: Order): Promise<Answer> {
    this.#answer = Promise.withResolvers();
    this.#child.send(order);
    const answer = await this.#answer.promise;
    if (answer.failure) throw new Error(answer.failure);
    return answer;
  }
}
