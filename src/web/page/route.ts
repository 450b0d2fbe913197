import { computed, signal } from "@preact/signals";

/** Where in the page one is: told by the address's hash, so that a reload, a link and the Back button work. */
export type Route = { view: "home" } | { view: "room"; roomId: number; seq: number | null };

/** `#/room/12`, `#/room/12/34` (message 34); anything else is the list alone. */
export function parseRoute(hash: string): Route {
  const match = /^#\/room\/(\d{1,15})(?:\/(\d{1,15}))?$/.exec(hash);
  if (!match) return { view: "home" };
  return { view: "room", roomId: Number(match[1]), seq: match[2] ? Number(match[2]) : null };
}

export const roomHref = (roomId: number, seq?: number) =>
  seq === undefined ? `#/room/${roomId}` : `#/room/${roomId}/${seq}`;

export const route = signal<Route>(parseRoute(location.hash));
export const openRoomId = computed(() => (route.value.view === "room" ? route.value.roomId : null));

window.addEventListener("hashchange", () => {
  route.value = parseRoute(location.hash);
});

/** Goes to a room, or to one of its messages; also when one is there already. */
export function goToRoom(roomId: number, seq?: number): void {
  const href = roomHref(roomId, seq);
  if (location.hash === href) route.value = parseRoute(href);
  else location.hash = href;
}

export function goHome(): void {
  location.hash = "#/";
}
