import { roomName } from "./names.tsx";
import { rooms } from "./state.ts";
import { locale } from "./words.ts";

const NAME = "Foyer";

/**
 * The unread total in the tab's title, and a dot on its icon.
 * @param roomId the room that is open, by whose name the tab is called
 */
export function showTotal(unread: number, roomId: number | null): void {
  const room = roomId === null ? undefined : rooms.value.find(({ id }) => id === roomId);
  const title = room ? `${roomName(room)} · ${NAME}` : NAME;
  const wanted = unread > 0 ? `(${unread.toLocaleString(locale)}) ${title}` : title;
  if (document.title !== wanted) document.title = wanted;
  for (const link of document.querySelectorAll<HTMLLinkElement>("link[rel=icon]")) {
    const shown = (link.dataset.when === "unread") === unread > 0;
    link.media = shown ? "all" : "not all";
  }
}
