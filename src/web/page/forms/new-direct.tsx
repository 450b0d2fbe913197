import { writeTo } from "../entering.ts";
import { me } from "../state.ts";
import { t } from "../words.ts";
import { FormFault } from "./faults.ts";
import { Form } from "./form.tsx";
import { PeoplePicker } from "./picker.tsx";
import { usePicking } from "./picking.ts";

/** People in a direct room, oneself included; the server's limit. */
const MOST = 20;

/** Chooses one or more people to write to. */
export function NewDirect() {
  const picking = usePicking((userId) => userId === me.value?.id);
  const submit = async () => {
    const ids = picking.ids("members", true);
    if (ids.length >= MOST) throw new FormFault({ members: t.tooManyPeople(MOST - 1) });
    await writeTo(...ids);
  };
  return (
    <Form action={t.startWriting} submit={submit} fieldOf={{ "user-not-found": "members" }}>
      {(faults) => (
        <PeoplePicker
          name="members"
          label={t.writeToWhom}
          hint={t.pickerHint}
          picking={picking}
          faults={faults}
          autofocus
        />
      )}
    </Form>
  );
}
