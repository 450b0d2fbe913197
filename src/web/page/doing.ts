import { useSignal } from "@preact/signals";
import { ApiError, NetworkError } from "../client/index.ts";
import { FormFault } from "./forms/faults.ts";

/** Lets an error that nobody expected be seen in the browser's console too: the reader only sees words. */
export function noted(error: unknown): void {
  const expected = [ApiError, NetworkError, FormFault].some((kind) => error instanceof kind);
  if (!expected) reportError(error);
}

/**
 * Something that is done once at a time; what went wrong with it is kept, for the reader, until it is tried again.
 * `run` tells whether it was done.
 */
export function useDoing() {
  const busy = useSignal(false);
  const error = useSignal<unknown>(null);
  const run = async (task: () => Promise<void>): Promise<boolean> => {
    if (busy.peek()) return false;
    busy.value = true;
    error.value = null;
    try {
      await task();
      return true;
    } catch (failure) {
      noted(failure);
      error.value = failure;
      return false;
    } finally {
      busy.value = false;
    }
  };
  return { busy, error, run };
}
