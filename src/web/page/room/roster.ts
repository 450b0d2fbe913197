import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Member, Role, Timeline } from "../../client/index.ts";
import { useDoing } from "../doing.ts";
import { locale } from "../words.ts";

/** How old the presence shown may become: nothing tells it live. */
const PRESENCE_MS = 60_000;

/** The members of the open room, as its timeline holds them; asked for anew at first, and then for who is online. */
export function useRoster(timeline: Timeline) {
  const members = useSignal(timeline.members);
  const doing = useDoing();
  const reload = () =>
    doing.run(async () => {
      await timeline.reloadMembers(); // does not reject
      if (timeline.error) throw timeline.error;
    });
  useEffect(() => {
    members.value = timeline.members;
    const unlisten = timeline.listen(() => {
      members.value = timeline.members;
    });
    void reload();
    const clock = setInterval(() => {
      if (document.visibilityState === "visible") void timeline.reloadMembers();
    }, PRESENCE_MS);
    return () => {
      clearInterval(clock);
      unlisten();
    };
  }, [timeline]);
  return { members, error: doing.error, reload };
}

const RANK: Record<Role, number> = { owner: 0, moderator: 1, member: 2 };
const byName = new Intl.Collator(locale, { sensitivity: "base", numeric: true });

/** Owners first, then moderators; by name. */
export const inOrder = (members: readonly Member[]): Member[] =>
  members.toSorted(
    (a, b) =>
      RANK[a.role] - RANK[b.role] || byName.compare(a.user.name, b.user.name) || a.user.id - b.user.id,
  );

/** Those whose name or handle has this in it. */
export function matching(members: readonly Member[], filter: string): readonly Member[] {
  const wanted = filter.trim().replace(/^@/, "").toLocaleLowerCase(locale);
  if (wanted === "") return members;
  return members.filter(({ user }) =>
    [user.name, user.handle].some((text) => text.toLocaleLowerCase(locale).includes(wanted)),
  );
}
