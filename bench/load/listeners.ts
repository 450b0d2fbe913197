/**
 * A crowd of EventSource clients, in a process of its own: the benchmarks give it orders and get one answer to each (see
 * bench/listeners.ts). Plain sockets: what counts is when the bytes are there, and a parser would cost more than the server.
 *
 * Messages are told from each other by a mark in their text, and counted by it, however many of them are in one event.
 */
import { type Answer, now, type Order, type StreamOf } from "../listeners.ts";

/** `#`, eight digits, `#`. */
const HASH = 0x23;
const MARK_LENGTH = 10;
/** Milliseconds after the last message in which it would show that one comes twice. */
const SETTLE_MS = 100;
const OPEN_MS = 60_000;
const NOTHING = Buffer.alloc(0);
const ID = /\nid: ([^\n]+)\n/g;

/** One client. */
interface Client {
  stream: StreamOf;
  socket: Bun.Socket<Client> | undefined;
  /** What it got until it was answered: the head of the answer, and the first events. */
  head: string;
  open: boolean;
  /** Closed by us. */
  left: boolean;
  lastId: string;
  /** The end of what it got, where it may be the beginning of a mark. */
  tail: Buffer;
  /** Of the messages that are watched for: how many it got, and the sum of their numbers. */
  count: number;
  sum: number;
}

let clients: Client[] = [];
/** Where the answers are, and the text after which a stream counts as open. */
let server = { port: 0, ready: "" };
/** How many have come as far as they were ordered to; and who waits for all. */
let opened = 0;
let failed = 0;
let failure = "";
let closed = 0;
let closing = false;
let onAll = () => {};

/** The messages that are watched for. */
let first = 0;
let arrived = new Uint32Array(0);
let at: number[] = [];
let complete = 0;

/** What came last, with its marks: nearly always the next client gets the very same. */
let known: Buffer = NOTHING;
let knownMarks: number[] = [];

function receive(client: Client, chunk: Buffer): void {
  if (!client.open) begin(client, chunk);
  else if (arrived.length === 0) noteId(client, chunk.toString("latin1"));
  else tally(client, marksIn(client, chunk));
}

function marksIn(client: Client, chunk: Buffer): number[] {
  if (client.tail.length === 0 && chunk.equals(known)) return knownMarks;
  const bytes = client.tail.length === 0 ? chunk : Buffer.concat([client.tail, chunk]);
  const marks: number[] = [];
  let from = bytes.indexOf(HASH);
  while (from >= 0 && from + MARK_LENGTH <= bytes.length) {
    if (bytes[from + MARK_LENGTH - 1] !== HASH) throw new Error("a mark that is none");
    marks.push(Number(bytes.toString("latin1", from + 1, from + MARK_LENGTH - 1)));
    from = bytes.indexOf(HASH, from + MARK_LENGTH);
  }
  if (client.tail.length === 0 && from < 0) {
    known = chunk;
    knownMarks = marks;
  }
  client.tail = from < 0 ? NOTHING : Buffer.from(bytes.subarray(from));
  return marks;
}

function tally(client: Client, marks: number[]): void {
  for (const mark of marks) {
    const index = mark - first;
    if (index < 0 || index >= arrived.length) continue;
    client.count++;
    client.sum += index;
    const many = (arrived[index] as number) + 1;
    arrived[index] = many;
    if (many < clients.length) continue;
    at[index] = now();
    if (++complete === arrived.length) onAll();
  }
}

function begin(client: Client, chunk: Buffer): void {
  client.head += chunk.toString("latin1");
  if (client.head.length >= 12 && !client.head.startsWith("HTTP/1.1 200")) {
    fail(client, client.head.slice(0, 300));
    return;
  }
  if (!client.head.includes(server.ready)) return;
  noteId(client, client.head);
  client.open = true;
  client.head = "";
  if (++opened === clients.length) onAll();
}

function noteId(client: Client, text: string): void {
  for (const [, id = ""] of text.matchAll(ID)) client.lastId = id;
}

/** A stream that could not be opened, or that ended unasked. */
function fail(client: Client, words: string): void {
  failed++;
  failure ||= words;
  client.socket?.terminate();
  onAll();
}

const handlers: Bun.SocketHandler<Client, "buffer"> = {
  open(socket) {
    const { path, token } = socket.data.stream;
    const { lastId } = socket.data;
    socket.data.socket = socket;
    socket.write(
      `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\naccept: text/event-stream\r\ncache-control: no-store\r\n${
        token ? `authorization: Bearer ${token}\r\n` : ""
      }${lastId ? `last-event-id: ${lastId}\r\n` : ""}\r\n`,
    );
  },
  data: (socket, chunk) => receive(socket.data, chunk),
  close(socket) {
    socket.data.socket = undefined;
    if (socket.data.left) return;
    closed++;
    if (!closing) fail(socket.data, "a stream was closed");
    else if (closed === clients.length) onAll();
  },
  connectError(socket, error) {
    fail(socket.data, String(error));
  },
};

/** Waits until everybody is where they were ordered to be, somebody has failed, or the time is over. */
function all(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  onAll = () => {
    clearTimeout(timer);
    resolve();
  };
  return promise;
}

/** @param atOnce how many are on their way at a time */
async function open(atOnce: number): Promise<Answer> {
  opened = failed = closed = 0;
  failure = "";
  closing = false;
  const began = now();
  const ready = all(OPEN_MS);
  let next = 0;
  const connect = async () => {
    for (let client = clients[next++]; client && failed === 0; client = clients[next++]) {
      await Bun.connect({
        hostname: "127.0.0.1",
        port: server.port,
        data: client,
        socket: handlers,
      }).catch(() => {}); // connectError has been told
    }
  };
  for (let i = 0; i < atOnce; i++) void connect();
  await ready;
  if (opened < clients.length) failure ||= `only ${opened} of ${clients.length} streams opened`;
  return { failure, seconds: (now() - began) / 1000 };
}

async function obey(order: Order): Promise<Answer> {
  switch (order.kind) {
    case "open":
      server = order;
      clients = order.streams.map((stream) => ({
        stream,
        socket: undefined,
        head: "",
        open: false,
        left: false,
        lastId: "",
        tail: NOTHING,
        count: 0,
        sum: 0,
      }));
      arrived = new Uint32Array(0);
      return open(order.atOnce);
    case "reopen":
      server = { ...server, port: order.port };
      for (const client of clients) Object.assign(client, { head: "", open: false, tail: NOTHING });
      return open(order.atOnce);
    case "watch":
      first = order.first;
      arrived = new Uint32Array(order.messages);
      at = Array(order.messages).fill(0);
      complete = 0;
      for (const client of clients) Object.assign(client, { count: 0, sum: 0 });
      return {};
    case "delivered": {
      if (complete < arrived.length && failed === 0) await all(order.ms);
      await Bun.sleep(SETTLE_MS);
      const { length } = arrived;
      const sum = (length * (length - 1)) / 2;
      const wrong = clients.filter((client) => client.count !== length || client.sum !== sum).length;
      const delivered = clients.reduce((total, { count }) => total + count, 0);
      return { failure, wrong, delivered, times: at };
    }
    case "lose":
      closing = true;
      if (closed < clients.length) await all(order.ms);
      return { failure: closed < clients.length ? `${clients.length - closed} streams stayed open` : "" };
    case "close":
      for (const client of clients) {
        client.left = true;
        client.socket?.terminate();
      }
      clients = [];
      known = NOTHING;
      return {};
  }
}

process.on("message", async (order: Order) => process.send?.(await obey(order)));
process.on("disconnect", () => process.exit(0));
