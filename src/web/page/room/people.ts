import { useRef } from "preact/hooks";
import type { Member, User } from "../../client/index.ts";

/** The room's people by id. */
export type People = ReadonlyMap<number, User>;

/** The same map for as long as the people and their names are the same: read markers move all the time. */
export function usePeople(members: readonly Member[]): People {
  const people = useRef<People>(new Map());
  const same =
    members.length === people.current.size &&
    members.every(({ user }) => {
      const known = people.current.get(user.id);
      return known?.name === user.name && known.handle === user.handle;
    });
  if (!same) people.current = new Map(members.map(({ user }) => [user.id, user]));
  return people.current;
}
