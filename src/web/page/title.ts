import icon from "./icon.svg";
import iconUnread from "./icon-unread.svg";
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
  const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  const picture = new URL(unread > 0 ? iconUnread : icon, location.href).href;
  if (link && link.href !== picture) link.href = picture;
}
