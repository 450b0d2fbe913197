import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Message } from "../../client/index.ts";
import { composer, messageAround, useFocusBack, useFocusOn } from "../focus.ts";
import { Icon, type IconName } from "../icons.tsx";
import { roomOf } from "../state.ts";
import { problemWords, t } from "../words.ts";
import type { Conversation } from "./conversation.ts";
import { EmojiGrid } from "./emoji.tsx";
import { Popover, PopoverFault } from "./popover.tsx";

/** Pixels between the toolbar and the edge of what is in sight. */
const GAP = 4;

/** Whether something is being chosen beside a message: what the pointer passes on its way there changes nothing. */
export const isChoosing = (): boolean => document.querySelector(".actions fieldset") !== null;

/** Whether the keyboard is at a message's actions. */
export const isKeyboardAtActions = (): boolean => document.querySelector(".actions :focus-visible") !== null;

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
  const toolbar = useRef<HTMLDivElement>(null);
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
  useFocusOn(toolbar, messageAround); // deleted, there is nothing more to be done with it
  useLayoutEffect(() => {
    const element = toolbar.current;
    const edge = element?.closest(".scroller")?.getBoundingClientRect().top ?? 0;
    const hidden = edge + GAP - (element?.getBoundingClientRect().top ?? 0);
    if (element && hidden > 0) element.style.top = `${element.offsetTop + hidden}px`;
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: keeps clicks from the message below, and no more
    <div
      ref={toolbar}
      class="actions"
      role="toolbar"
      aria-label={t.actions}
      onClick={(event) => event.stopPropagation()}
      onFocusOut={({ relatedTarget }) => {
        if (relatedTarget && !toolbar.current?.contains(relatedTarget as Node)) choosing.value = "";
      }}
    >
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
          composer()?.focus();
        }}
      />
      {own && (
        <Action
          icon="edit"
          words={t.edit}
          act={() => {
            conversation.replyingTo.value = null;
            conversation.editing.value = message;
            composer()?.focus();
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
        <Deletion
          run={() => attempt(() => client.api.remove(roomId, message.seq))}
          close={() => (choosing.value = "")}
        />
      )}
      {fault.value !== "" && <PopoverFault words={fault.value} />}
    </div>
  );
}

/** Asks before a message is gone for everybody. */
function Deletion({ run, close }: { run: () => void; close: () => void }) {
  useFocusBack();
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  };
  return (
    <Popover label={t.delete} onKeyDown={onKeyDown}>
      <p>{t.deleteSure}</p>
      <button type="button" class="button danger" onClick={run}>
        {t.delete}
      </button>
      <button type="button" class="button" onClick={close}>
        {t.cancel}
      </button>
    </Popover>
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
