import { connect, type Socket } from "node:net";
import { Waiting } from "./waiting.ts";

/** A stream over a bare socket, for clients that misbehave: it can vanish, or stop reading. */
export class RawStream {
  bytes = 0;
  text = "";
  closed = false;
  readonly #waiting = new Waiting();

  private constructor(readonly socket: Socket) {
    socket.on("data", (chunk) => {
      this.bytes += chunk.length;
      // All of what has just come, however much it is, and what was there before it.
      this.text = (this.text + chunk.toString("latin1")).slice(-100_000 - chunk.length);
      this.#waiting.arrived();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
      this.#waiting.arrived();
    });
  }

  static open(url: string, headers: Record<string, string>): Promise<RawStream> {
    const { host, pathname, search } = new URL(url);
    const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return RawStream.say(url, `GET ${pathname}${search} HTTP/1.1\r\n${lines.join("")}\r\n`);
  }

  /** Connects, and sends whatever. */
  static async say(url: string, text: string): Promise<RawStream> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const stream = new RawStream(socket);
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    socket.write(text);
    return stream;
  }

  /** Waits until a condition holds; `text` is the last 100 KB. */
  until(condition: () => boolean): Promise<void> {
    return this.#waiting.until(condition, {
      what: String(condition),
      ms: 20_000,
      seen: () => this.text.slice(-500),
    });
  }

  /** Reads no more; what the server sends piles up in the sockets' buffers. */
  stopReading(): void {
    this.socket.pause();
  }

  /** Closes the connection; `reset` without a goodbye (RST). */
  vanish(reset: boolean): void {
    if (reset) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }
}
