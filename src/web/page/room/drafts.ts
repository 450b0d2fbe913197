import { me } from "../state.ts";

/** What was begun in each room and not sent: kept for this tab, over a reload. */
const keyOf = (roomId: number) => `foyer.draft.${me.peek()?.id}.${roomId}`;

export const draftOf = (roomId: number): string => sessionStorage.getItem(keyOf(roomId)) ?? "";

export function keepDraft(roomId: number, text: string): void {
  sessionStorage.removeItem(keyOf(roomId));
  if (text === "") return;
  try {
    sessionStorage.setItem(keyOf(roomId), text);
  } catch {
    // The storage is full: it lives as long as its room is open.
  }
}

/** With a sign-out, for whoever comes next. */
export function forgetDrafts(): void {
  for (const key of Object.keys(sessionStorage))
    if (key.startsWith("foyer.draft.")) sessionStorage.removeItem(key);
}
