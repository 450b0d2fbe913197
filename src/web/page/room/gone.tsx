import { useDoing } from "../doing.ts";
import { Problem } from "../problem.tsx";
import { goHome } from "../route.ts";
import { client } from "../state.ts";
import { t } from "../words.ts";

/**
 * In place of a room that one is not in, be it that it is gone or that a link has led here: the server says the same of
 * both, and lets everybody into an open one.
 */
export function Gone({ roomId }: { roomId: number }) {
  const joining = useDoing();
  const join = async () => {
    await client.value?.api.putMember(roomId, "me");
    const room = await client.value?.api.room(roomId);
    if (room) client.value?.rooms.put(room); // the list's change shows it here
  };
  return (
    <div class="main-empty">
      <p role="alert">{t.roomGone}</p>
      <p>{t.roomGoneHint}</p>
      <Problem error={joining.error.value} />
      <p class="main-actions">
        <button
          type="button"
          class="button primary"
          aria-disabled={joining.busy.value}
          onClick={() => joining.run(join)}
        >
          {t.joinIt}
        </button>
        <button type="button" class="button" onClick={goHome}>
          {t.back}
        </button>
      </p>
    </div>
  );
}
