import { type Signal, useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import type { Member, User } from "../../client/index.ts";
import { Avatar } from "../names.tsx";
import { me } from "../state.ts";
import { t } from "../words.ts";

/** People offered at once. */
const MOST = 6;
/** What is being typed of a mention, before the caret. */
const BEGUN = /(?:^|[^\p{L}\p{N}._@/-])@([\p{L}\p{N}._-]{0,32})$/u;

/** Keys that move the caret. */
const MOVES = new Set(["ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown"]);

export interface CompletionState {
  open: boolean;
  index: number;
  found: readonly User[];
  /** Looks at what stands before the caret. */
  look(): void;
  close(): void;
  choose(user: User): void;
  /** @returns whether the key was meant for it */
  onKeyDown(event: KeyboardEvent): boolean;
}

/** Offers the room's members while an `@` is being typed. */
export function useCompletion(
  box: RefObject<HTMLTextAreaElement | null>,
  text: Signal<string>,
  members: () => readonly Member[],
): CompletionState {
  const found = useSignal<readonly User[]>([]);
  const index = useSignal(0);
  const close = () => {
    found.value = [];
  };
  const choose = (user: User) => {
    const element = box.current;
    if (!element) return;
    const caret = element.selectionStart;
    const begun = BEGUN.exec(text.value.slice(0, caret))?.[1]?.length ?? 0;
    const start = `${text.value.slice(0, caret - begun) + user.handle} `;
    text.value = start + text.value.slice(caret);
    close();
    element.focus();
    requestAnimationFrame(() => element.setSelectionRange(start.length, start.length));
  };
  return {
    get open() {
      return found.value.length > 0;
    },
    get index() {
      return index.value;
    },
    get found() {
      return found.value;
    },
    look() {
      const before = text.value.slice(0, box.current?.selectionStart ?? 0);
      const begun = BEGUN.exec(before.slice(-40))?.[1];
      index.value = 0;
      found.value = begun === undefined ? [] : matching(members(), begun.toLowerCase());
    },
    close,
    choose,
    onKeyDown(event) {
      const people = found.value;
      if (people.length === 0) return false;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) index.value = (index.value + step + people.length) % people.length;
      else if (event.key === "Enter" || event.key === "Tab") choose(people[index.value] as User);
      else if (event.key === "Escape") close();
      else {
        if (MOVES.has(event.key)) close(); // what was looked at is no longer what stands before the caret
        return false;
      }
      event.preventDefault();
      return true;
    },
  };
}

/** Those whose handle or a word of whose name begins so; handles first. */
function matching(members: readonly Member[], begun: string): User[] {
  const others = members.map(({ user }) => user).filter(({ id }) => id !== me.value?.id);
  const byHandle = others.filter(({ handle }) => handle.startsWith(begun));
  const byName = others.filter(
    (user) =>
      !byHandle.includes(user) &&
      user.name
        .toLowerCase()
        .split(/\s+/)
        .some((word) => word.startsWith(begun)),
  );
  const found = [...byHandle, ...byName].slice(0, MOST);
  return found.length === 1 && found[0]?.handle === begun ? [] : found; // it is there already: Enter sends
}

/** The people offered, above the box. */
export function Completion({ completion, id }: { completion: CompletionState; id: string }) {
  return (
    <div
      class="completion"
      id={`${id}-list`}
      role="listbox"
      aria-label={t.mentionSomebody}
      hidden={!completion.open}
    >
      {completion.found.map((user, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the box's own
        <div
          key={user.id}
          id={`${id}-${index}`}
          role="option"
          tabIndex={-1}
          aria-selected={index === completion.index}
          onPointerDown={(event) => event.preventDefault()} // the focus stays in the box
          onClick={() => completion.choose(user)}
        >
          <Avatar user={user} small />
          <bdi>{user.name}</bdi> <span class="handle">@{user.handle}</span>
        </div>
      ))}
    </div>
  );
}
