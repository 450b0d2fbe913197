import { computed, effect, signal } from "@preact/signals";
import type { Room } from "../../client/index.ts";
import { roomName } from "../names.tsx";
import { openRoomId } from "../route.ts";
import { me, rooms } from "../state.ts";

/** What the filter box holds. */
export const filter = signal("");

/** Lower case and without accents, so that "equipe" finds "Équipe". */
const plain = (text: string) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

const matching = computed(() => {
  const wanted = plain(filter.value.trim());
  if (wanted === "") return rooms.value;
  return rooms.value.filter((room) => {
    const handles = (room.peers ?? []).map(({ handle }) => handle).join(" ");
    return plain(`${roomName(room)} ${handles}`).includes(wanted);
  });
});

/** The order in which the rooms stood when the pointer came over them; null while it is elsewhere. */
const held = signal<ReadonlyMap<number, number> | null>(null);

/**
 * The rooms as they are shown: newest activity first, but never moved away from under the pointer. A room that is
 * new meanwhile waits below, unless it is the one that is open.
 */
export const shown = computed<readonly Room[]>(() => {
  const places = held.value;
  if (!places || matching.value.some(({ id }) => id === openRoomId.value && !places.has(id)))
    return matching.value;
  const place = ({ id }: Room) => places.get(id) ?? places.size;
  return matching.value.toSorted((a, b) => place(a) - place(b)); // stable: those without a place keep their order
});

export function holdOrder(): void {
  held.value ??= new Map(rooms.peek().map(({ id }, index) => [id, index]));
}

export function releaseOrder(): void {
  held.value = null;
}

// What one person looked for is not the next one's to see.
effect(() => {
  if (me.value !== null) return;
  filter.value = "";
  releaseOrder();
});
