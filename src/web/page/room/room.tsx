import { untracked, useSignalEffect } from "@preact/signals";
import { memo } from "preact/compat";
import { useEffect, useMemo } from "preact/hooks";
import type { Client } from "../../client/index.ts";
import { useFocusBack } from "../focus.ts";
import { inSentence } from "../names.tsx";
import { route } from "../route.ts";
import { client, panel, roomOf } from "../state.ts";
import { problemWords, t } from "../words.ts";
import { Announcer } from "./announcer.tsx";
import { Composer } from "./composer.tsx";
import { Conversation } from "./conversation.ts";
import { Gone } from "./gone.tsx";
import { RoomHead } from "./head.tsx";
import { Jumps } from "./jumps.tsx";
import { MembersPanel } from "./members.tsx";
import { Messages } from "./messages.tsx";
import { SearchPanel } from "./search.tsx";

/** The room that the address names; as long as it is mine to see. */
export function RoomView({ roomId }: { roomId: number }) {
  return roomOf(roomId) && client.value ? (
    <OpenRoom following={client.value} roomId={roomId} />
  ) : (
    <Gone roomId={roomId} />
  );
}

/** Drawn anew with what changes in it, not with each change of the list. */
const OpenRoom = memo(function OpenRoom({ following, roomId }: { following: Client; roomId: number }) {
  const conversation = useMemo(() => new Conversation(following, roomId), [following, roomId]);
  useEffect(() => () => conversation.close(), [conversation]);
  useFocusBack(); // on a narrow screen: to the row that one came from
  useSignalEffect(() => {
    const { value } = route;
    if (value.view === "room" && value.roomId === roomId) untracked(() => conversation.open(value.seq));
  });
  conversation.changes.value; // `gone` may be among them
  if (conversation.timeline.gone) return <Gone roomId={roomId} />;
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
          <Fault conversation={conversation} />
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
});

/** What of the room could not be loaded, over the messages: wherever in them one is. */
function Fault({ conversation }: { conversation: Conversation }) {
  conversation.changes.value; // an error is one of them
  const { error } = conversation.timeline;
  if (error === null) return null;
  return (
    <p class="room-fault" role="alert">
      {t.roomFailed} {problemWords(error)}{" "}
      <button type="button" class="text-button" onClick={() => conversation.retry()}>
        {t.tryAgain}
      </button>
    </p>
  );
}

/** Who is typing. Its line is always there, so that nothing moves when somebody begins. */
function Typing({ conversation }: { conversation: Conversation }) {
  conversation.changes.value; // who types is among them
  const { typing } = conversation.timeline;
  return (
    <p class="typing" aria-live="off">
      {typing.length > 0 && t.typing(typing.map(({ name }) => inSentence(name)))}
    </p>
  );
}
