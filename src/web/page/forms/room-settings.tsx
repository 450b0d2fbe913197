import { useSignal } from "@preact/signals";
import type { Room } from "../../client/index.ts";
import { quit } from "../entering.ts";
import { api, client } from "../state.ts";
import { t } from "../words.ts";
import { Choices } from "./choices.tsx";
import { Confirm } from "./confirm.tsx";
import { mustFit } from "./faults.ts";
import { Field } from "./field.tsx";
import { Form } from "./form.tsx";
import { kindChoices, type NamedKind } from "./new-room.tsx";

/** A room's settings: what one may change of it, what one wants to be told of, and the ways out. */
export function RoomSettings({ room }: { room: Room }) {
  const before = useSignal(room); // what was shown: only what is changed here is sent, not what somebody else changed
  const name = useSignal(room.name ?? "");
  const topic = useSignal(room.topic ?? "");
  const kind = useSignal<NamedKind>(room.kind === "closed" ? "closed" : "open");
  const involvement = useSignal(room.involvement);
  const mayChange = room.kind !== "direct" && room.role !== "member";

  const submit = async () => {
    const given = { roomName: name.value.trim(), topic: topic.value.trim() };
    if (mayChange) {
      mustFit(given);
      const change = {
        ...(given.roomName !== before.value.name && { name: given.roomName }),
        ...(given.topic !== (before.value.topic ?? "") && { topic: given.topic || null }),
        ...(kind.value !== before.value.kind && { kind: kind.value }),
      };
      if (Object.keys(change).length > 0) before.value = put(await api.changeRoom(room.id, change));
    }
    if (involvement.value !== before.value.involvement) {
      await api.setInvolvement(room.id, involvement.value);
      const now = client.value?.rooms.get(room.id) ?? room;
      before.value = put({ ...now, involvement: involvement.value });
    }
  };

  return (
    <>
      <Form action={t.save} done={t.saved} submit={submit} fieldOf={{ name: "roomName" }}>
        {(faults) => (
          <>
            {mayChange && (
              <>
                <Field name="roomName" label={t.roomName} value={name} faults={faults} spellcheck required />
                <Field
                  name="topic"
                  label={t.topic}
                  hint={t.topicHint}
                  value={topic}
                  faults={faults}
                  spellcheck
                />
                <Choices legend={t.whoMayJoin} value={kind} choices={kindChoices()} />
              </>
            )}
            <Choices legend={t.involvement} value={involvement} choices={involvementChoices()} />
          </>
        )}
      </Form>
      {room.kind !== "direct" && <WaysOut room={room} />}
    </>
  );
}

function put(room: Room): Room {
  client.value?.rooms.put(room);
  return room;
}

const involvementChoices = (): { value: Room["involvement"]; label: string; hint: string }[] => [
  { value: "all", label: t.involvementAll, hint: t.involvementAllHint },
  { value: "mentions", label: t.involvementMentions, hint: t.involvementMentionsHint },
  { value: "none", label: t.involvementNone, hint: t.involvementNoneHint },
];

function WaysOut({ room }: { room: Room }) {
  const leave = async () => {
    await api.removeMember(room.id, "me");
    quit(room.id);
  };
  const remove = async () => {
    await api.removeRoom(room.id);
    quit(room.id);
  };
  return (
    <section class="part">
      <Confirm
        action={t.leaveRoom}
        question={room.kind === "closed" ? t.leaveClosedSure : t.leaveSure}
        run={leave}
      />
      {room.role === "owner" && <Confirm action={t.deleteRoom} question={t.deleteRoomSure} run={remove} />}
    </section>
  );
}
