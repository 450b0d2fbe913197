import { type ReadonlySignal, useSignal } from "@preact/signals";
import type { Member, Timeline } from "../../client/index.ts";
import { Form } from "../forms/form.tsx";
import { PeoplePicker } from "../forms/picker.tsx";
import { usePicking } from "../forms/picking.ts";
import { api } from "../state.ts";
import { t } from "../words.ts";

/** Adds people to the room. */
export function AddPeople(props: {
  timeline: Timeline;
  roomId: number;
  members: ReadonlySignal<readonly Member[]>;
}) {
  const picking = usePicking((userId) => props.members.value.some(({ user }) => user.id === userId));
  const added = useSignal("");
  const submit = async () => {
    const ids = picking.ids("members", true);
    const names: string[] = [];
    try {
      for (const id of ids) {
        const { user } = await api.putMember(props.roomId, id);
        picking.drop(id); // who is in needs no second try, whatever becomes of the others
        names.push(user.name);
      }
    } finally {
      added.value = names.join(", ");
      if (names.length > 0) await props.timeline.reloadMembers();
    }
  };
  return (
    <details class="panel-part add-people">
      <summary>{t.addPeople}</summary>
      <Form
        action={t.add}
        done={t.peopleAdded(added.value)}
        submit={submit}
        fieldOf={{ "user-not-found": "members" }}
      >
        {(faults) => <PeoplePicker name="members" label={t.whomToAdd} picking={picking} faults={faults} />}
      </Form>
    </details>
  );
}
