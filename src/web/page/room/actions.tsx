import { useSignal } from "@preact/signals";
import type { Message } from "../../client/index.ts";
import { Icon, type IconName } from "../icons.tsx";
import { roomOf } from "../state.ts";
import { problemWords, t } from "../words.ts";
import type { Conversation } from "./conversation.ts";
import { EmojiGrid } from "./emoji.tsx";

/** What can be done with a message, beside it: while it has the pointer or the focus, or was tapped. */
export function Actions({
  conversation,
  message,
  own,
}: {
  conversation: Conversation;
  message: Message;
  own: boolean;
}) {
  const choosing = useSignal<"" | "reaction" | "deletion">("");
  const fault = useSignal("");
  const { client, roomId, timeline } = conversation;
  const role = roomOf(roomId)?.role;
  const mayDelete = own || role === "owner" || role === "moderator";
  const attempt = async (what: () => Promise<unknown>) => {
    try {
      await what();
      fault.value = "";
      choosing.value = "";
    } catch (error) {
      fault.value = problemWords(error);
    }
  };
  const react = (emoji: string) =>
    attempt(async () => {
      const changed = await client.api.react(roomId, message.seq, emoji, true);
      if (changed) timeline.put(changed);
    });
  const focusComposer = () => document.querySelector<HTMLElement>(".composer textarea")?.focus();
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: keeps clicks from the message below, and no more
    <div class="actions" role="toolbar" aria-label={t.actions} onClick={(event) => event.stopPropagation()}>
      <Action
        icon="react"
        words={t.react}
        expanded={choosing.value === "reaction"}
        act={() => (choosing.value = choosing.value === "reaction" ? "" : "reaction")}
      />
      <Action
        icon="reply"
        words={t.reply}
        act={() => {
          conversation.editing.value = null;
          conversation.replyingTo.value = message;
          focusComposer();
        }}
      />
      {own && (
        <Action
          icon="edit"
          words={t.edit}
          act={() => {
            conversation.replyingTo.value = null;
            conversation.editing.value = message;
            focusComposer();
          }}
        />
      )}
      <Action
        icon="unread"
        words={t.markUnread}
        act={() => attempt(() => conversation.markUnread(message.seq))}
      />
      {mayDelete && (
        <Action
          icon="trash"
          words={t.delete}
          expanded={choosing.value === "deletion"}
          act={() => (choosing.value = choosing.value === "deletion" ? "" : "deletion")}
        />
      )}
      {choosing.value === "reaction" && <EmojiGrid choose={react} close={() => (choosing.value = "")} />}
      {choosing.value === "deletion" && (
        <fieldset class="popover" aria-label={t.delete}>
          <p>{t.deleteSure}</p>
          <button
            type="button"
            class="button danger"
            onClick={() => attempt(() => client.api.remove(roomId, message.seq))}
          >
            {t.delete}
          </button>
          <button type="button" class="button" onClick={() => (choosing.value = "")}>
            {t.cancel}
          </button>
        </fieldset>
      )}
      {fault.value !== "" && (
        <p class="popover fault" role="alert">
          {fault.value}
        </p>
      )}
    </div>
  );
}

function Action(props: { icon: IconName; words: string; act: () => void; expanded?: boolean }) {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={props.words}
      title={props.words}
      aria-expanded={props.expanded}
      onClick={props.act}
    >
      <Icon name={props.icon} />
    </button>
  );
}
