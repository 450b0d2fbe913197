import { computed, signal } from "@preact/signals";

/** Where in the page one is: told by the address's hash, so that a reload, a link and the Back button work. */
export type Route =
  | { view: "home" }
  | { view: "room"; roomId: number; seq: number | null }
  | { view: "invite"; code: string };

/** `#/room/12`, `#/room/12/34` (message 34), `#/invite/CODE`; anything else is the list alone. */
export function parseRoute(hash: string): Route {
  const [, code] = /^#\/invite\/([\w-]{1,100})$/.exec(hash) ?? [];
  if (code !== undefined) return { view: "invite", code };
  const match = /^#\/room\/(\d{1,15})(?:\/(\d{1,15}))?$/.exec(hash);
  if (!match) return { view: "home" };
  return { view: "room", roomId: Number(match[1]), seq: match[2] ? Number(match[2]) : null };
}

export const roomHref = (roomId: number, seq?: number) =>
  seq === undefined ? `#/room/${roomId}` : `#/room/${roomId}/${seq}`;

export const route = signal<Route>(parseRoute(location.hash));
/** Of the link by which somebody has come who may sign up with it. */
export const inviteCode = computed(() => (route.value.view === "invite" ? route.value.code : null));
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
