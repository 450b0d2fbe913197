import { migrate } from "../src/db/migrate.ts";
import type { Context } from "./bench.ts";
import { fillCrowd } from "./crowd.ts";
import { Listeners, markOf, now, openFiles, type StreamOf } from "./listeners.ts";
import { nchan } from "./peers/nchan.ts";
import { freePort, type Program } from "./programs.ts";

export const BARE = "bare Bun";
export const NCHAN = "Nchan";

const LISTENERS = 200;
export const SENDERS = 8;
const ROOM = 1;
/** The mark of the message that is sent to see what Foyer makes of it. */
const SAMPLE = 0;
/** Not measured: once for all, so that the just-in-time compilers are through, and at the beginning of each turn. */
const WARM_UP = { streams: 100, messages: 400, eachTurn: 20 };
/** Milliseconds that messages may be on their way after the last one was acknowledged. */
const DELIVERY_MS = 30_000;
/** What Nchan puts around the data of an event. */
const NCHAN_AROUND = "id: 1700000000:0\nevent: messages\ndata: \n\n".length;

/** What tells a message to everybody who listens. */
export interface Broadcaster {
  name: string;
  program: Program;
  /** Where so many clients listen. */
  streams(count: number): StreamOf[];
  /** After which text a stream is open. */
  ready: string;
  /** @throws Error where it is not taken */
  publish(mark: number): Promise<void>;
}

/** Messages that were acknowledged did not come to everybody. */
export class Undelivered extends Error {
  override name = "Undelivered";
}

/** What it took to tell messages. */
export interface Told {
  /** By message, milliseconds from when it was begun to send until the last stream had it. */
  latencies: number[];
  /** When the first was begun, and when the last was with everybody, by now(). */
  began: number;
  last: number;
  /** Milliseconds of CPU of the server, and of Postgres, whoever used it. */
  cpu: number;
  postgres: number;
}

/** Foyer, bare Bun and Nchan, each telling the same bytes, and who listens to them. */
export class Broadcasters {
  #nextMark = SAMPLE + 1;

  private constructor(
    readonly all: Broadcaster[],
    readonly listeners: Listeners,
    private readonly databases: Context["databases"],
  ) {}

  /** @param streams how many there will be at most */
  static async start(context: Context, streams: number): Promise<Broadcasters> {
    const files = await openFiles(streams);
    const { foyer, event } = await startFoyer(context);
    const bare = await startBare(context);
    const peer = await context.programs.start(await nchan(freePort(), files));
    const parts = new Broadcasters(
      [foyer, ofBare(bare, event), ofNchan(peer, event)],
      new Listeners(),
      context.databases,
    );
    for (const broadcaster of parts.all) {
      await parts.open(broadcaster, WARM_UP.streams);
      await parts.tell(broadcaster, WARM_UP.messages, publishFast);
      await parts.listeners.close();
    }
    return parts;
  }

  /** Opens streams at one of them, and sends a few messages that are not measured. */
  async open(broadcaster: Broadcaster, count: number): Promise<void> {
    const { program, streams, ready } = broadcaster;
    await this.listeners.open(program.url, streams(count), ready);
    await this.tell(broadcaster, WARM_UP.eachTurn, publishFast);
  }

  /**
   * Sends messages to all who listen.
   * @param patience milliseconds that they may be on their way after the last one was acknowledged
   * @throws Undelivered where one does not come, or twice; Error where one is not taken
   */
  async tell(
    { program, ...rest }: Broadcaster,
    messages: number,
    publish: Publish,
    patience = DELIVERY_MS,
  ): Promise<Told> {
    const first = this.#nextMark;
    this.#nextMark += messages;
    await this.listeners.watch(first, messages);
    const before = [await program.cpu(), await this.databases.cpu()] as const;
    const begun = await publish({ program, ...rest }, first, messages);
    const { complete, delivered, times } = await this.listeners.delivered(patience).catch((error) => {
      throw new Undelivered(String(error)); // a stream was closed
    });
    const after = [await program.cpu(), await this.databases.cpu()] as const;
    if (!complete) {
      const missing = times.filter((time) => time === 0).length;
      throw new Undelivered(
        `of ${messages} messages ${missing} had not come to everybody ${patience / 1_000} s after the last was acknowledged; ${delivered} deliveries`,
      );
    }
    return {
      latencies: times.map((time, i) => time - (begun[i] as number)),
      began: begun[0] as number,
      last: Math.max(...times),
      cpu: after[0] - before[0],
      postgres: after[1] - before[1],
    };
  }

  async stop(): Promise<void> {
    await this.listeners.stop();
    await Promise.all(this.all.map(({ program }) => program.stop()));
  }
}

/** @returns with it what it makes of a message: the bytes that go out on each stream */
async function startFoyer({ databases, programs }: Context): Promise<{ foyer: Broadcaster; event: string }> {
  const database = await databases.empty("broadcasts");
  await migrate(database.url);
  await fillCrowd(database.db, { users: LISTENERS + SENDERS, rooms: ROOM, each: 1 });
  const program = await programs.foyer(database.url);
  const userIds = Array.from({ length: LISTENERS + SENDERS }, (_, i) => i + 1);
  const tokens = await databases.tokens(database.db, userIds);
  const path = `/chat/api/stream/rooms/${ROOM}`;
  const foyer: Broadcaster = {
    name: "Foyer",
    program,
    ready: "\nid: ",
    streams: (count) => Array.from({ length: count }, (_, i) => ({ path, token: tokens[i % LISTENERS] })),
    publish: (mark) =>
      post(
        `${program.url}/chat/api/rooms/${ROOM}/messages`,
        JSON.stringify({
          body: `Lunch at twelve, as always? The usual place has a new cook. ${markOf(mark)}`,
        }),
        {
          "content-type": "application/json",
          authorization: `Bearer ${tokens[LISTENERS + (mark % SENDERS)]}`,
        },
      ),
  };
  return { foyer, event: await capture(foyer) };
}

/** The bytes of the event by which Foyer tells a message. */
async function capture({ program, streams, publish, ready }: Broadcaster): Promise<string> {
  const [{ path, token } = { path: "" }] = streams(1);
  const leaving = new AbortController();
  const response = await fetch(program.url + path, {
    headers: { authorization: `Bearer ${token}` },
    signal: leaving.signal,
  });
  let text = "";
  let begun = 0;
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (begun === 0 && text.includes(ready)) {
      begun = text.length;
      await publish(SAMPLE);
    }
    if (text.includes(markOf(SAMPLE)) && text.endsWith("\n\n")) break;
  }
  leaving.abort();
  return text.slice(begun);
}

/** Also for those who only want streams that stay open. */
export const startBare = ({ programs }: Context, port = freePort()): Promise<Program> =>
  programs.start({
    name: BARE,
    command: [process.execPath, "bench/peers/bare.ts"],
    env: { PORT: String(port), NODE_ENV: "production" },
    readyPath: "/health/ready",
    port,
  });

function ofBare(program: Program, event: string): Broadcaster {
  return {
    name: BARE,
    program,
    ready: "\nid: ",
    streams: (count) => Array(count).fill({ path: "/stream" }),
    publish: (mark) => post(`${program.url}/publish`, event.replace(markOf(SAMPLE), markOf(mark))),
  };
}

/** Nchan makes the event around the data by itself; what Foyer says besides is filled up with blanks. */
function ofNchan(program: Program, event: string): Broadcaster {
  const data = (/^data: (.*)$/m.exec(event)?.[1] ?? "").padEnd(event.length - NCHAN_AROUND);
  return {
    name: NCHAN,
    program,
    ready: ": hi",
    streams: (count) => Array(count).fill({ path: "/sub" }),
    publish: (mark) =>
      post(`${program.url}/pub`, data.replace(markOf(SAMPLE), markOf(mark)), {
        "content-type": "application/json",
        "x-eventsource-event": "messages",
      }),
  };
}

async function post(url: string, body: string, headers: Record<string, string> = {}): Promise<void> {
  const response = await fetch(url, { method: "POST", body, headers });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${answer.slice(0, 200)}`);
}

/** Begins messages with marks from `first` on. @returns when each was begun, by now(), once all have been answered */
export type Publish = (broadcaster: Broadcaster, first: number, messages: number) => Promise<number[]>;

/** All senders at once, each as soon as the last one has been answered. */
export const publishFast: Publish = async ({ publish }, first, messages) => {
  const begun: number[] = [];
  await Promise.all(
    Array.from({ length: SENDERS }, async () => {
      while (begun.length < messages) await publish(first + begun.push(now()) - 1);
    }),
  );
  return begun;
};

/** At a fixed rate, whether or not the one before has been answered. */
export const publishAtRate =
  (perSecond: number): Publish =>
  async ({ publish }, first, messages) => {
    const began = now();
    const begun: number[] = [];
    const answers: Promise<void>[] = [];
    for (let i = 0; i < messages; i++) {
      const due = began + (i * 1_000) / perSecond;
      if (due > now()) await Bun.sleep(due - now());
      begun.push(now());
      answers.push(publish(first + i));
    }
    await Promise.all(answers);
    return begun;
  };
