import type { Api } from "./api.ts";
import type { User } from "./contract.ts";
import { Listeners } from "./listeners.ts";
import { Outbox } from "./outbox.ts";
import { RoomList } from "./rooms.ts";
import { Timeline } from "./timeline.ts";

/**
 * `live`: events come as they happen; `connecting`: they do not yet, or not now; `polling`: something holds streams
 * back, and the list is asked for every few seconds; `offline`: the browser has no network.
 */
export type Status = "live" | "connecting" | "polling" | "offline";

/** A signed-in person's live state in this tab. */
export class Client {
  readonly rooms = new RoomList();
  readonly outbox = new Outbox();
  readonly #status = new Listeners();
  readonly #signedOut = new Listeners();

  private constructor(
    readonly api: Api,
    public me: User,
  ) {}

  static async open(api: Api, me: User): Promise<Client> {
    return new Client(api, me);
  }
  get status(): Status {
    return "connecting";
  }
  onStatus(fn: () => void): () => void {
    return this.#status.add(fn);
  }
  onSignedOut(fn: () => void): () => void {
    return this.#signedOut.add(fn);
  }
  timeline(roomId: number): Timeline {
    return new Timeline(roomId);
  }
  announceSignOut(): void {}
  close(): void {}
}
