import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Session } from "../../client/index.ts";
import { useDoing } from "../doing.ts";
import type { Found } from "../found.ts";
import { Problem } from "../problem.tsx";
import { api } from "../state.ts";
import { fullTime, shortTime } from "../time.ts";
import { t } from "../words.ts";

/** All of my sessions: the list has one page. */
export const lookForSessions = async () => ({ rows: await api.sessions(), next: null });

/** Where I am signed in, and a way to end that. */
export function Sessions({ found }: { found: Found<Session> }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const ended = useSignal(false);
  useEffect(() => void found.ask(""), []);
  const onEnded = async () => {
    ended.value = true;
    heading.current?.focus(); // the button that was pressed goes
    await found.ask("");
  };
  return (
    <section class="part">
      <h3 ref={heading} tabIndex={-1}>
        {t.sessions}
      </h3>
      <ul class="sessions" aria-label={t.sessions}>
        {found.rows.value?.map((session) => (
          <Row key={session.id} session={session} onEnded={onEnded} />
        ))}
      </ul>
      <p class="hint" role="status">
        {found.rows.value === null && found.asking.value ? t.working : ended.value ? t.sessionEnded : ""}
      </p>
      <Problem error={found.error.value} />
      {found.error.value !== null && (
        <button type="button" class="button" onClick={() => found.ask("")}>
          {t.tryAgain}
        </button>
      )}
    </section>
  );
}

function Row({ session, onEnded }: { session: Session; onEnded: () => Promise<void> }) {
  const doing = useDoing();
  const device = session.device ?? t.unknownDevice;
  const end = () =>
    doing.run(async () => {
      await api.endSession(session.id);
      await onEnded();
    });
  return (
    <li class="session">
      <div class="session-words">
        <p class="session-device">
          <bdi>{device}</bdi>
        </p>
        <p class="hint">
          {session.current ? (
            t.thisDevice
          ) : (
            <time dateTime={session.lastUsedAt} title={fullTime(session.lastUsedAt)}>
              {t.lastUsed(shortTime(session.lastUsedAt))}
            </time>
          )}
        </p>
        <Problem error={doing.error.value} />
      </div>
      {!session.current && (
        <button
          type="button"
          class="button"
          aria-label={t.endSessionOf(device)}
          aria-disabled={doing.busy.value}
          onClick={end}
        >
          {t.endSession}
        </button>
      )}
    </li>
  );
}
