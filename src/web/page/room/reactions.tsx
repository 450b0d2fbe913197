import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Message } from "../../client/index.ts";
import { messageAround, useFocusOn } from "../focus.ts";
import { me } from "../state.ts";
import { problemWords, t } from "../words.ts";
import type { Conversation } from "./conversation.ts";
import type { People } from "./people.ts";

/** How many names a reaction tells. */
const NAMES = 12;

interface ReactionsProps {
  conversation: Conversation;
  message: Message;
  people: People;
}

/** A message's reactions: each with its count, pressed where it is one's own. */
export function Reactions({ conversation, message, people }: ReactionsProps) {
  const fault = useSignal("");
  if (message.reactions.length === 0) return null;
  const mine = me.value?.id ?? 0;
  const toggle = async (emoji: string, on: boolean) => {
    try {
      const { client, roomId, timeline } = conversation;
      const changed = await client.api.react(roomId, message.seq, emoji, on);
      if (changed) timeline.put(changed);
      fault.value = "";
    } catch (error) {
      fault.value = problemWords(error);
    }
  };
  return (
    <ul class="reactions" aria-label={t.reactions}>
      {message.reactions.map(({ emoji, users }) => (
        <Reaction
          key={emoji}
          emoji={emoji}
          count={users.length}
          own={users.includes(mine)}
          words={t.reactionBy(`${emoji} ${users.length}`, namesOf(users, people))}
          toggle={toggle}
        />
      ))}
      {fault.value !== "" && (
        <li class="fault" role="alert">
          {fault.value}
        </li>
      )}
    </ul>
  );
}

function Reaction(props: {
  emoji: string;
  count: number;
  own: boolean;
  words: string;
  toggle: (emoji: string, on: boolean) => void;
}) {
  const { emoji, count, own, words, toggle } = props;
  const button = useRef<HTMLButtonElement>(null);
  useFocusOn(button, messageAround); // taken away, it was perhaps the last one
  return (
    <li>
      <button
        ref={button}
        type="button"
        class="reaction"
        aria-pressed={own}
        aria-label={words}
        title={words}
        onClick={() => toggle(emoji, !own)}
      >
        {emoji} {count}
      </button>
    </li>
  );
}

function namesOf(users: readonly number[], people: People): string {
  const names = users.map((id) => (id === me.value?.id ? t.you : people.get(id)?.name));
  const known = names.filter((name) => name !== undefined).slice(0, NAMES);
  const others = users.length - known.length;
  return others === 0 ? known.join(", ") : t.andOthers(known.join(", "), others);
}
