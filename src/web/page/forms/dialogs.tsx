import { useEffect } from "preact/hooks";
import { type DialogName, dialog, roomOf } from "../state.ts";
import { t } from "../words.ts";
import { Dialog } from "./dialog.tsx";
import { NewDirect } from "./new-direct.tsx";
import { NewRoom } from "./new-room.tsx";
import { OpenRooms } from "./open-rooms.tsx";
import { ReadAll } from "./read-all.tsx";
import { RoomSettings } from "./room-settings.tsx";
import { Settings } from "./settings.tsx";

/**
 * The dialog that lies over the page.
 * @param roomId the open room, which `room-settings` is about
 */
export function Dialogs({ name, roomId }: { name: DialogName; roomId: number | null }) {
  const close = () => {
    if (dialog.value === name) dialog.value = null;
  };
  switch (name) {
    case "settings":
      return (
        <Dialog key={name} title={t.settings} onClose={close}>
          <Settings />
        </Dialog>
      );
    case "new-room":
      return (
        <Dialog key={name} title={t.newRoom} onClose={close}>
          <NewRoom />
        </Dialog>
      );
    case "new-direct":
      return (
        <Dialog key={name} title={t.newDirect} onClose={close} size="tall">
          <NewDirect />
        </Dialog>
      );
    case "open-rooms":
      return (
        <Dialog key={name} title={t.openRooms} onClose={close} size="wide">
          <OpenRooms />
        </Dialog>
      );
    case "read-all":
      return (
        <Dialog key={name} title={t.readAll} onClose={close}>
          <ReadAll done={close} />
        </Dialog>
      );
    case "room-settings": {
      const room = roomId === null ? undefined : roomOf(roomId);
      if (!room) return <Gone onGone={close} />;
      return (
        <Dialog key={`${name} ${room.id}`} title={t.roomSettings} onClose={close}>
          <RoomSettings room={room} />
        </Dialog>
      );
    }
  }
}

/** The room has gone while its settings were open: so do they. The room's own view says why. */
function Gone({ onGone }: { onGone: () => void }) {
  useEffect(onGone, []);
  return null;
}
