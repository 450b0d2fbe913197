import { arrayLiteral, connectionOptions, open, type Sql, type Target } from "../../db/client.ts";
import type { Hint } from "../hints.ts";

const CHANNEL = "foyer_hints";
/** Milliseconds for which hints gather before they go out together. */
const GATHER_MS = 5;
/** Bytes of one notification; Postgres takes 8,000. */
const MAX_PAYLOAD = 7_900;
/** Milliseconds between two signs of life to oneself over the listening connection. */
const BEAT_MS = 5_000;
/** Beats that may fail to come back before the connection is given up as dead. */
const MISSED_BEATS = 3;

export interface PostgresBus {
  publish(hints: Hint[]): void;
  close(): Promise<void>;
}

/**
 * Carries hints between the servers on one database by `NOTIFY`, in statements of their own: inside a write's
 * transaction it would take a lock until the commit is on disk.
 * @param hear a hint of another server
 * @param onGap hints may have been lost: listening has begun, or begun anew
 * @param onTrouble a publish failed or the listener was silent; the hub's sweep makes good for what is lost
 */
export async function connectBus(
  sql: Sql,
  target: Target,
  { hear, onGap, onTrouble }: { hear(hint: Hint): void; onGap(): void; onTrouble(error: unknown): void },
): Promise<PostgresBus> {
  const self = crypto.randomUUID().slice(0, 8);
  let gathered = new Set<Hint>();
  let timer: Timer | undefined;
  let sending = Promise.resolve();
  let missed = 0;
  let closed = false;
  let listener: ReturnType<typeof listen> | undefined;

  function receive(payload: string): void {
    const [from, ...hints] = payload.split(" ");
    if (from === self) missed = 0;
    else for (const hint of hints) hear(hint);
  }

  function listen() {
    const client = open(target, { ...connectionOptions(0), max: 1 });
    const ready = client.listen(CHANNEL, receive, onGap);
    ready.catch(onTrouble);
    return { client, ready };
  }

  async function flush(): Promise<void> {
    timer = undefined;
    const hints = gathered;
    gathered = new Set();
    try {
      await sql`
        select pg_notify(${CHANNEL}, payload) from unnest(${arrayLiteral(payloads(self, hints))}::text[]) as payload`;
    } catch (error) {
      if (!closed) onTrouble(error);
    }
  }

  function gather(hints: Iterable<Hint>): void {
    for (const hint of hints) gathered.add(hint);
    timer ??= setTimeout(() => {
      sending = sending.then(flush);
    }, GATHER_MS);
  }

  const beat = setInterval(() => {
    if (++missed > MISSED_BEATS) {
      missed = 0;
      onTrouble(new Error("the listening connection is silent; opening another"));
      listener?.client.end({ timeout: 0 }).catch(() => {}); // it is dead: nothing more to learn from it
      listener = listen();
    }
    gather([]);
  }, BEAT_MS);

  listener = listen();
  await listener.ready;

  return {
    publish(hints) {
      if (!closed) gather(hints);
    },
    async close() {
      closed = true;
      clearInterval(beat);
      clearTimeout(timer);
      await listener?.client.end({ timeout: 0 });
      // The last hints, if the database takes them; whoever misses them finds out by themselves.
      if (timer) sending = sending.then(flush);
    },
  };
}

/** Hints as notifications: who sends, then as many words as fit. */
function payloads(self: string, hints: Set<Hint>): string[] {
  const made: string[] = [];
  let payload = self;
  for (const hint of hints) {
    if (payload.length + 1 + hint.length > MAX_PAYLOAD) {
      made.push(payload);
      payload = self;
    }
    payload += ` ${hint}`;
  }
  made.push(payload);
  return made;
}
