import { useDoing } from "../doing.ts";
import { Problem } from "../problem.tsx";
import { client, totals } from "../state.ts";
import { t } from "../words.ts";

/** Asks before everything counts as read: no way leads back to where each room was left off. */
export function ReadAll({ done }: { done: () => void }) {
  const doing = useDoing();
  const readAll = async () => {
    const changed = await client.value?.api.readAll();
    if (changed) client.value?.rooms.apply(changed);
    done();
  };
  return (
    <>
      <p>{t.readAllSure(totals.value.messages, totals.value.toRead)}</p>
      <Problem error={doing.error.value} />
      <button
        type="button"
        class="button primary"
        aria-disabled={doing.busy.value}
        onClick={() => doing.run(readAll)}
      >
        {t.readAll}
      </button>
    </>
  );
}
