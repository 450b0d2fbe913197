import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { User, Ways } from "../../client/index.ts";
import { noted } from "../doing.ts";
import { goHome, inviteCode } from "../route.ts";
import { api, follow, me, start } from "../state.ts";
import { t } from "../words.ts";
import { mustBeThere, mustFit } from "./faults.ts";
import { Field } from "./field.tsx";
import { Form } from "./form.tsx";
import { PasswordField } from "./password.tsx";

/** Signing in or up, for those whom the server does not know yet. */
export function Welcome() {
  const signup = useSignal<Ways["signup"] | null>(null);
  const isNew = useSignal(false);
  const handle = useSignal("");
  const name = useSignal("");
  const password = useSignal("");

  useEffect(() => {
    api.ways().then(
      (ways) => {
        signup.value = ways.signup;
      },
      () => {
        signup.value = "open"; // if it is not, the sign-up says so
      },
    );
  }, []);
  // Who comes by an invite has not come to sign in.
  useSignalEffect(() => {
    if (inviteCode.value !== null) isNew.value = true;
  });
  const mayJoin = signup.value === "open" || (signup.value === "invite" && inviteCode.value !== null);

  const signIn = async () => {
    const who = { handle: written(handle.value), password: password.value };
    mustBeThere(who);
    await begin(await api.signIn(who));
  };
  const signUp = async () => {
    const who = { handle: written(handle.value), name: name.value.trim(), password: password.value };
    mustFit(who);
    const user = await api.signUp({ ...who, invite: inviteCode.value ?? undefined });
    if (inviteCode.value !== null) goHome();
    await begin(user);
  };

  return (
    <main class="welcome">
      <div class="welcome-card">
        <header class="welcome-head">
          <h1>Foyer</h1>
          <p class="hint">{t.tagline}</p>
        </header>
        {isNew.value ? (
          <Form key="up" action={t.signUp} submit={signUp} fieldOf={{ "handle-taken": "handle" }}>
            {(faults) => (
              <>
                <Field
                  name="handle"
                  label={t.handle}
                  hint={t.handleHint}
                  value={handle}
                  faults={faults}
                  autocomplete="username"
                  required
                  autofocus
                />
                <Field
                  name="name"
                  label={t.name}
                  hint={t.nameHint}
                  value={name}
                  faults={faults}
                  autocomplete="name"
                  required
                />
                <PasswordField
                  name="password"
                  label={t.password}
                  hint={t.passwordHint}
                  value={password}
                  faults={faults}
                  autocomplete="new-password"
                />
              </>
            )}
          </Form>
        ) : (
          <Form key="in" action={t.signIn} submit={signIn} fieldOf={{ "bad-credentials": "password" }}>
            {(faults) => (
              <>
                <Field
                  name="handle"
                  label={t.handle}
                  value={handle}
                  faults={faults}
                  autocomplete="username"
                  required
                  autofocus
                />
                <PasswordField
                  name="password"
                  label={t.password}
                  value={password}
                  faults={faults}
                  autocomplete="current-password"
                />
              </>
            )}
          </Form>
        )}
        {(mayJoin || isNew.value) && (
          <button
            type="button"
            class="text-button"
            onClick={() => {
              isNew.value = !isNew.value;
            }}
          >
            {isNew.value ? t.toSignIn : t.toSignUp}
          </button>
        )}
      </div>
    </main>
  );
}

/** Follows the rooms. Signed in one is by now: if they cannot be had, that is tried again, not the sign-in. */
async function begin(user: User): Promise<void> {
  try {
    await follow(user);
  } catch (error) {
    noted(error);
    me.value = undefined;
    await start();
  }
}

/** A handle as people write it: with their keyboard's capital, and the @ of a mention. */
const written = (handle: string): string => handle.trim().replace(/^@/, "").toLowerCase();
