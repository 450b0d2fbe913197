import type { Message } from "./contract.ts";
import type { ApiError } from "./errors.ts";
import { Listeners } from "./listeners.ts";

/** A message that was sent here and is not known to have arrived. */
export interface Pending {
  clientId: string;
  roomId: number;
  body: string;
  replyTo: number | null;
  createdAt: string;
  /** `waiting`: for the network, or for those before it; `refused`: until `retry` or `discard`. */
  state: "sending" | "waiting" | "refused";
  /** Why it was refused, or what the last try met with. */
  problem: ApiError | null;
}

/** What was sent and has not arrived yet; it survives a reload. */
export class Outbox {
  readonly #sent = new Listeners<[Message]>();
  readonly #changed = new Listeners();
  of(_roomId: number): readonly Pending[] {
    return [];
  }
  send(roomId: number, body: string, replyTo: number | null = null): Pending {
    return { clientId: "", roomId, body, replyTo, createdAt: "", state: "waiting", problem: null };
  }
  retry(_clientId: string): void {}
  discard(_clientId: string): void {}
  /** Forgets everything, of this person: for a sign-out. */
  clear(): void {}
  onSent(fn: (message: Message) => void): () => void {
    return this.#sent.add(fn);
  }
  listen(fn: () => void): () => void {
    return this.#changed.add(fn);
  }
}
