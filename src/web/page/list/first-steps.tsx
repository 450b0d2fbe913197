import { dialog } from "../state.ts";
import { t } from "../words.ts";

/** For who is in no room yet: the ways into a first one. */
export const FirstSteps = () => (
  <p class="main-actions">
    <button type="button" class="button" onClick={() => (dialog.value = "open-rooms")}>
      {t.firstFind}
    </button>
    <button type="button" class="button" onClick={() => (dialog.value = "new-room")}>
      {t.firstMake}
    </button>
  </p>
);
