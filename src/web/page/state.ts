import { computed, signal } from "@preact/signals";
import { Api, Client, type Room, type User } from "../client/index.ts";
import { forgetDrafts } from "./room/drafts.ts";
import { goHome, openRoomId } from "./route.ts";

export const api = new Api();

/** Who is signed in; null: nobody; undefined: not known yet. */
export const me = signal<User | null | undefined>(undefined);
export const client = signal<Client | null>(null);
/** The error that keeps the page from starting, while it is tried again. */
export const startError = signal<unknown>(null);

export const rooms = signal<readonly Room[]>([]);
/**
 * What is unread in all rooms together, of what the person wants to be told: a muted room's messages count in its own
 * badge alone. `messages` and `toRead`: in all rooms, muted or not, and of how many rooms.
 */
export const totals = computed(() => {
  let unread = 0;
  let messages = 0;
  let toRead = 0;
  for (const { involvement, unreadCount, mentionCount, markedUnread } of rooms.value) {
    if (involvement !== "none") unread += involvement === "all" ? unreadCount : mentionCount;
    messages += unreadCount;
    if (unreadCount > 0 || markedUnread) toRead++;
  }
  return { unread, messages, toRead };
});
export const status = signal<Client["status"]>("connecting");

/** The dialog that lies over the page. */
export type DialogName = "settings" | "new-room" | "new-direct" | "open-rooms" | "read-all" | "room-settings";
export const dialog = signal<DialogName | null>(null);
/** The panel beside the open room. */
export const panel = signal<"members" | "search" | null>(null);

/** The open room as the list has it. */
export function roomOf(roomId: number): Room | undefined {
  rooms.value; // whoever asks is drawn anew when the list changes
  return client.value?.rooms.get(roomId);
}

const RETRY_MS = 3_000;

/** Finds out who is signed in, and follows their rooms. Tries again until the server answers. */
export async function start(): Promise<void> {
  try {
    const user = await api.session();
    if (user) await follow(user);
    else me.value = null;
    startError.value = null;
  } catch (error) {
    startError.value = error;
    setTimeout(start, RETRY_MS * (1 + Math.random()));
  }
}

/** Follows the rooms of a person who has just signed in or up. */
export async function follow(user: User): Promise<void> {
  const opened = await Client.open(api, user);
  const copy = () => {
    rooms.value = opened.rooms.all();
  };
  opened.rooms.listen(copy);
  opened.onStatus(() => {
    status.value = opened.status;
  });
  opened.onSignedOut(forget);
  copy();
  status.value = opened.status;
  client.value = opened;
  me.value = user;
  arrivals?.postMessage(user.id);
}

/** Tells the browser's other tabs who is signed in: they have the same cookie, and would go on in that person's name. */
const arrivals = "BroadcastChannel" in globalThis ? new BroadcastChannel("foyer:arrivals") : null;
arrivals?.addEventListener("message", ({ data: userId }) => {
  if (me.value === undefined || me.value?.id === userId) return;
  if (me.value !== null) forget();
  me.value = undefined;
  void start();
});

/** Signs out, here and in the other tabs of this browser. What was not sent yet is discarded with it. */
export async function signOut(): Promise<void> {
  const leaving = client.value;
  await api.signOut();
  leaving?.outbox.clear();
  forgetDrafts();
  leaving?.announceSignOut();
  forget();
}

function forget(): void {
  client.value?.close();
  client.value = null;
  rooms.value = [];
  dialog.value = null;
  panel.value = null;
  me.value = null;
  if (openRoomId.value !== null) goHome();
}
