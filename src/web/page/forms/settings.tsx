import { useComputed, useSignal } from "@preact/signals";
import { ApiError, type Session } from "../../client/index.ts";
import { useDoing } from "../doing.ts";
import { useFound } from "../found.ts";
import { Problem } from "../problem.tsx";
import { api, client, me, rooms, signOut } from "../state.ts";
import { t } from "../words.ts";
import { Confirm } from "./confirm.tsx";
import { FormFault, mustBeThere, mustFit } from "./faults.ts";
import { Field } from "./field.tsx";
import { Form } from "./form.tsx";
import { PasswordField } from "./password.tsx";
import { lookForSessions, Sessions } from "./sessions.tsx";

/** My name, my password, where I am signed in, and the way out. */
export function Settings() {
  const sessions = useFound<Session>(lookForSessions);
  return (
    <>
      <p class="hint">{t.signedInAs(me.value?.handle ?? "")}</p>
      <MyName />
      <section class="part">
        <h3>{t.changePassword}</h3>
        <MyPassword onChanged={() => sessions.ask("")} />
      </section>
      <Sessions found={sessions} />
      <section class="part">
        <SignOut />
      </section>
    </>
  );
}

function MyName() {
  const name = useSignal(me.value?.name ?? "");
  const submit = async () => {
    const wanted = name.value.trim();
    mustFit({ name: wanted });
    const user = await api.rename(wanted);
    if (client.value) client.value.me = user;
    me.value = user;
  };
  return (
    <Form action={t.save} done={t.saved} submit={submit}>
      {(faults) => (
        <Field
          name="name"
          label={t.name}
          hint={t.nameHint}
          value={name}
          faults={faults}
          autocomplete="name"
          required
        />
      )}
    </Form>
  );
}

/** @param onChanged told when the other sessions have ended with it */
function MyPassword({ onChanged }: { onChanged: () => void }) {
  const current = useSignal("");
  const next = useSignal("");
  const submit = async () => {
    mustBeThere({ current: current.value });
    mustFit({ next: next.value });
    try {
      await api.changePassword(current.value, next.value);
    } catch (error) {
      const wrong = error instanceof ApiError && error.code === "bad-credentials";
      throw wrong ? new FormFault({ current: t.fieldFaults.current ?? "" }) : error;
    }
    current.value = "";
    next.value = "";
    onChanged();
  };
  return (
    <Form action={t.changePassword} done={t.passwordChanged} submit={submit}>
      {(faults) => (
        <>
          {/* Tells password managers whose password it is. */}
          <input hidden readOnly name="username" autocomplete="username" value={me.value?.handle} />
          <PasswordField
            name="current"
            label={t.currentPassword}
            value={current}
            faults={faults}
            autocomplete="current-password"
          />
          <PasswordField
            name="next"
            label={t.nextPassword}
            hint={t.nextPasswordHint}
            value={next}
            faults={faults}
            autocomplete="new-password"
          />
        </>
      )}
    </Form>
  );
}

function SignOut() {
  const doing = useDoing();
  const unsent = useComputed(() =>
    rooms.value.some(({ id }) => (client.value?.outbox.of(id).length ?? 0) > 0),
  );
  if (unsent.value) return <Confirm action={t.signOut} question={t.signOutUnsent} run={signOut} />;
  return (
    <>
      <button
        type="button"
        class="button"
        aria-disabled={doing.busy.value}
        onClick={() => doing.run(signOut)}
      >
        {t.signOut}
      </button>
      <Problem error={doing.error.value} />
    </>
  );
}
