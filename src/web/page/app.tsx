import { useSignalEffect } from "@preact/signals";
import { Dialogs } from "./forms/dialogs.tsx";
import { Welcome } from "./forms/welcome.tsx";
import { Sidebar } from "./list/sidebar.tsx";
import { RoomView } from "./room/room.tsx";
import { openRoomId } from "./route.ts";
import { client, dialog, me, rooms, startError, totals } from "./state.ts";
import { StatusLine } from "./status.tsx";
import { showTotal } from "./title.ts";
import { t } from "./words.ts";

/** The whole page: the welcome, or the rooms and the one that is open. */
export function App() {
  useSignalEffect(() => showTotal(totals.value.unread, openRoomId.value));
  if (me.value === undefined) return <Starting />;
  if (me.value === null) return <Welcome />;
  const roomId = openRoomId.value;
  return (
    <div class={roomId === null ? "shell" : "shell in-room"}>
      <Sidebar />
      <main class="main" id="conversation" tabIndex={-1}>
        <h1 class="visually-hidden">Foyer</h1>
        {roomId === null ? <NothingOpen /> : <RoomView key={roomId} roomId={roomId} />}
      </main>
      <StatusLine />
      {client.value && dialog.value && <Dialogs name={dialog.value} roomId={roomId} />}
    </div>
  );
}

/** Where the open room would be. */
const NothingOpen = () => <p class="main-empty">{rooms.value.length > 0 && t.chooseRoom}</p>;

/** Until the server has said who is signed in. Empty at first: mostly it takes no time. */
const Starting = () => (
  <main class="starting">
    <p role="status">{startError.value === null ? "" : t.startFailed}</p>
  </main>
);
