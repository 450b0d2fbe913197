import { useSignal } from "@preact/signals";
import { enter } from "../entering.ts";
import { api, me } from "../state.ts";
import { t } from "../words.ts";
import { Choices } from "./choices.tsx";
import { mustFit } from "./faults.ts";
import { Field } from "./field.tsx";
import { Form } from "./form.tsx";
import { PeoplePicker } from "./picker.tsx";
import { usePicking } from "./picking.ts";

export type NamedKind = "open" | "closed";

/** The two kinds of room that have a name. */
export const kindChoices = (): { value: NamedKind; label: string; hint: string }[] => [
  { value: "open", label: t.kindOpen, hint: t.kindOpenHint },
  { value: "closed", label: t.kindClosed, hint: t.kindClosedHint },
];

/** Makes a room, with people in it if one likes. */
export function NewRoom() {
  const name = useSignal("");
  const topic = useSignal("");
  const kind = useSignal<NamedKind>("open");
  const picking = usePicking((userId) => userId === me.value?.id);
  const submit = async () => {
    const given = { roomName: name.value.trim(), topic: topic.value.trim() };
    mustFit(given);
    const members = picking.ids("members", false);
    enter(
      await api.createRoom({ kind: kind.value, name: given.roomName, topic: given.topic || null, members }),
    );
  };
  return (
    <Form action={t.makeRoom} submit={submit} fieldOf={{ name: "roomName", "user-not-found": "members" }}>
      {(faults) => (
        <>
          <Field
            name="roomName"
            label={t.roomName}
            value={name}
            faults={faults}
            spellcheck
            required
            autofocus
          />
          <Field name="topic" label={t.topic} hint={t.topicHint} value={topic} faults={faults} spellcheck />
          <PeoplePicker
            name="members"
            label={t.invite}
            hint={t.inviteHint}
            picking={picking}
            faults={faults}
          />
          <Choices legend={t.whoMayJoin} value={kind} choices={kindChoices()} />
        </>
      )}
    </Form>
  );
}
