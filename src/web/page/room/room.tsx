import { untracked, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { route } from "../route.ts";
import { client, panel, roomOf } from "../state.ts";
import { t } from "../words.ts";
import { Announcer } from "./announcer.tsx";
import { Composer } from "./composer.tsx";
import { Conversation } from "./conversation.ts";
import { Gone } from "./gone.tsx";
import { RoomHead } from "./head.tsx";
import { Jumps } from "./jumps.tsx";
import { MembersPanel } from "./members.tsx";
import { Messages } from "./messages.tsx";
import { SearchPanel } from "./search.tsx";

/** The open room. */
export function RoomView({ roomId }: { roomId: number }) {
  const following = client.value;
  const conversation = useMemo(() => following && new Conversation(following, roomId), [following, roomId]);
  useEffect(() => () => conversation?.close(), [conversation]);
  useSignalEffect(() => {
    const { value } = route;
    if (value.view === "room" && value.roomId === roomId) untracked(() => conversation?.open(value.seq));
  });
  conversation?.changes.value; // `gone` may be among them
  if (!conversation) return null;
  if (!roomOf(roomId) || conversation.timeline.gone) return <Gone roomId={roomId} />;
  const close = () => {
    panel.value = null;
  };
  return (
    <>
      <section class="room">
        <RoomHead roomId={roomId} />
        <div class="room-middle">
          <Messages conversation={conversation} />
          <Jumps conversation={conversation} />
        </div>
        <Typing conversation={conversation} />
        <Composer conversation={conversation} />
        <Announcer conversation={conversation} />
      </section>
      {panel.value === "members" && (
        <MembersPanel timeline={conversation.timeline} roomId={roomId} onClose={close} />
      )}
      {panel.value === "search" && <SearchPanel roomId={roomId} onClose={close} />}
    </>
  );
}

/** Who is typing. Its line is always there, so that nothing moves when somebody begins. */
function Typing({ conversation }: { conversation: Conversation }) {
  conversation.changes.value; // who types is among them
  const { typing } = conversation.timeline;
  return (
    <p class="typing" aria-live="off">
      {typing.length > 0 && t.typing(typing.map(({ name }) => name))}
    </p>
  );
}
