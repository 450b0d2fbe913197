import type { Message } from "../../src/messages/queries.ts";
import type { Json, RoomList } from "./client.ts";
import { reduce, reduceMessages } from "./events.ts";
import { RawStream } from "./raw.ts";
import { Waiting } from "./waiting.ts";

/** What the server sends. */
export interface ServerFrame {
  event: string;
  room?: number;
  data: any;
  id?: string;
  re?: unknown;
}

type Headers = Record<string, string>;

// The DOM's type, which wins over Bun's, knows no headers.
const BunWebSocket = WebSocket as unknown as new (url: string, options: Bun.WebSocketOptions) => WebSocket;

/** A client's WebSocket, with the reducers of the contract: one for the room list, one for each room. */
export class SocketReader {
  readonly frames: ServerFrame[] = [];
  readonly rooms = new Map<number, RoomList["rooms"][number]>();
  /** By room. */
  readonly messages = new Map<number, Map<number, Json<Message>>>();
  /** The last id of each room's events, and of the list's at 0. */
  readonly cursors = new Map<number, string>();
  /** How the connection ended. */
  closed: { code: number; reason: string } | null = null;
  readonly #waiting = new Waiting();

  private constructor(readonly socket: WebSocket) {
    socket.addEventListener("open", () => this.#waiting.arrived());
    socket.addEventListener("message", ({ data }) => {
      this.#take(JSON.parse(data));
      this.#waiting.arrived();
    });
    socket.addEventListener("close", ({ code, reason }) => {
      this.closed = { code, reason };
      this.#waiting.arrived();
    });
  }

  /** @throws if the server does not take it */
  static async open(api: string, headers: Headers): Promise<SocketReader> {
    const reader = new SocketReader(new BunWebSocket(address(api), { headers }));
    await reader.until(() => reader.socket.readyState === WebSocket.OPEN);
    return reader;
  }

  /** Sends a frame; text and bytes as they are. */
  send(frame: object | string | Uint8Array<ArrayBuffer>): void {
    const asIs = typeof frame === "string" || frame instanceof Uint8Array;
    this.socket.send(asIs ? frame : JSON.stringify(frame));
  }

  /** Waits until a condition holds over what has arrived. */
  async until(condition: () => boolean, what = String(condition), ms = 10_000): Promise<void> {
    await this.#waiting.until(condition, {
      what,
      ms,
      seen: () => JSON.stringify(this.frames).slice(-2000),
      whyNever: () => this.closed && `the socket closed with ${JSON.stringify(this.closed)}`,
    });
  }

  /** Waits for the next event of a name, after so many of them; of one room's timeline, or of whatever. */
  async event(name: string, nth = 1, room?: number): Promise<ServerFrame> {
    const found = () => this.of(name, room)[nth - 1];
    await this.until(
      () => found() !== undefined,
      `${nth} × ${name}${room === undefined ? "" : ` of ${room}`}`,
    );
    return found() as ServerFrame;
  }

  /** The events of a name that have arrived. */
  of(name: string, room?: number): ServerFrame[] {
    return this.frames.filter((frame) => frame.event === name && (room === undefined || frame.room === room));
  }

  /** Waits until the server has done what it was asked before: it takes frames in turn. */
  async settled(): Promise<void> {
    const { length } = this.of("error");
    this.send("settled?");
    await this.event("error", length + 1);
  }

  /** Waits for the end. */
  async end(): Promise<{ code: number; reason: string }> {
    await this.until(() => this.closed !== null);
    return this.closed as { code: number; reason: string };
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.end();
  }

  #take(frame: ServerFrame): void {
    const { event, room = 0, data, id } = frame;
    this.frames.push(frame);
    if (id !== undefined) this.cursors.set(room, id);
    if (event === "rooms") reduce(this.rooms, data);
    if (event === "messages") {
      const held = this.messages.get(room) ?? new Map();
      this.messages.set(room, held);
      reduceMessages(held, data);
    }
  }
}

const address = (api: string): string => `${api.replace("http", "ws")}/ws`;

/** Asks for a WebSocket by hand: a client that misbehaves, or one that is to be refused. */
export const handshake = (api: string, headers: Headers): Promise<RawStream> =>
  RawStream.open(`${api}/ws`, {
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": btoa("0123456789abcdef"),
    ...headers,
  });

/** How the server answers a request for a WebSocket: `101`, or `403 bad-origin`. */
export async function askedFor(api: string, headers: Headers): Promise<string> {
  const asked = await handshake(api, headers);
  await asked.until(() =>
    asked.text.startsWith("HTTP/1.1 101") ? asked.text.includes("\r\n\r\n") : /"code":"/.test(asked.text),
  );
  asked.vanish(false);
  const [, status] = asked.text.split(" ");
  const code = /"code":"([^"]+)"/.exec(asked.text)?.[1];
  return code === undefined ? String(status) : `${status} ${code}`;
}

/** A client's frame as bytes (RFC 6455, 5.2), masked by a key of zeros. */
export function encode(payload: string | Uint8Array, { opcode = 1, fin = true } = {}): Buffer {
  const bytes = Buffer.from(payload as string);
  const short = bytes.length < 126; // what a control frame must be
  const head = Buffer.alloc(short ? 6 : 14);
  head[0] = (fin ? 0x80 : 0) | opcode;
  head[1] = 0x80 | (short ? bytes.length : 127);
  if (!short) head.writeBigUInt64BE(BigInt(bytes.length), 2);
  return Buffer.concat([head, bytes]);
}
