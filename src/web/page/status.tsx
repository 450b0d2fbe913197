import { useSignal, useSignalEffect } from "@preact/signals";
import { status } from "./state.ts";
import { t } from "./words.ts";

/** Milliseconds after which it is worth saying that the connection is gone: most are back sooner. */
const WORTH_SAYING_MS = 3_000;

/** Says what has become of the connection, only when it lasts. */
export function StatusLine() {
  const lasting = useSignal<typeof status.value>("live");
  useSignalEffect(() => {
    const now = status.value;
    if (now === "live" || now === "offline") {
      lasting.value = now;
      return;
    }
    const timer = setTimeout(() => {
      lasting.value = now;
    }, WORTH_SAYING_MS);
    return () => clearTimeout(timer);
  });
  const words = { live: "", connecting: t.reconnecting, polling: t.polling, offline: t.offline };
  return (
    <p class="status-line" role="status">
      {words[lasting.value]}
    </p>
  );
}
