import { effect, signal } from "@preact/signals";
import type { SearchHit } from "../../client/index.ts";
import { Found } from "../found.ts";
import { api, me } from "../state.ts";

const PAGE = 20;

/**
 * The search, in this room or in all: it stays while one goes from hit to hit, through rooms and with the panel
 * closed in between.
 */
export const query = signal("");
export const inAllRooms = signal(false);
/** The room that was searched; null: all of them. */
export const searchedRoom = signal<number | null>(null);
export const hits = new Found<SearchHit, string>(async (q, before) => {
  const room = searchedRoom.value ?? undefined;
  const page = await api.search({ q, room, before: before ?? undefined, limit: PAGE });
  return { rows: page.messages, next: page.before };
});

/** Searches for what is written. */
export async function search(roomId: number): Promise<void> {
  searchedRoom.value = inAllRooms.value ? null : roomId;
  const q = query.value.trim();
  if (q === "") hits.clear();
  else await hits.ask(q);
}

function forget(): void {
  query.value = "";
  inAllRooms.value = false;
  searchedRoom.value = null;
  hits.clear();
}

// What one person searched for is not the next one's to see.
effect(() => {
  if (me.value === null) forget();
});
