import { effect, useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { useDoing } from "../doing.ts";
import { composer } from "../focus.ts";
import { Icon } from "../icons.tsx";
import { roomName } from "../names.tsx";
import { me, roomOf } from "../state.ts";
import { problemWords, t } from "../words.ts";
import { Completion, useCompletion } from "./completion.tsx";
import type { Conversation } from "./conversation.ts";
import { draftOf, keepDraft } from "./drafts.ts";

/** Characters (code points) that a message may have: the API's own limit. */
const MOST = 10_000;
/** Milliseconds between two words to the others that one is typing: shorter than they show it for (5 s). */
const TYPING_EVERY_MS = 3_000;

/** The box to write in: new messages, replies and edits; Enter sends, Shift+Enter begins a line. */
export function Composer({ conversation }: { conversation: Conversation }) {
  const { client, roomId, editing, replyingTo, timeline } = conversation;
  const box = useRef<HTMLTextAreaElement>(null);
  const text = useSignal(draftOf(roomId));
  const saving = useDoing();
  const typedAt = useRef(0);
  const completion = useCompletion(box, text, () => timeline.members);
  const id = useId();
  const room = roomOf(roomId);
  const excess = text.value.length <= MOST ? 0 : Math.max(0, [...text.value].length - MOST);

  // Not `useSignalEffect`, which waits for the next frame: it would overwrite what is typed until then.
  useEffect(
    () =>
      effect(() => {
        text.value = editing.value ? (editing.value.body ?? "") : draftOf(roomId);
        saving.error.value = null;
      }),
    [],
  );
  useEffect(() => {
    // Not where it would bring up the keyboard of a phone over what one came to read.
    if (matchMedia("(hover: hover)").matches) box.current?.focus({ preventScroll: true });
  }, []);

  const write = (value: string) => {
    text.value = value;
    saving.error.value = null;
    if (editing.value) return;
    keepDraft(roomId, value);
    if (value.trim() !== "" && Date.now() - typedAt.current > TYPING_EVERY_MS) {
      typedAt.current = Date.now();
      client.api.typing(roomId).catch(() => {}); // nobody misses it; what really fails shows with the message
    }
  };
  const send = async () => {
    const body = text.value.trim();
    const message = editing.value;
    if (body === "" || excess > 0) return;
    if (!message) {
      write("");
      typedAt.current = 0;
      conversation.send(body);
      return;
    }
    await saving.run(async () => {
      if (body !== message.body) timeline.put(await client.api.edit(roomId, message.seq, body));
      // Another edit may have begun meanwhile, or this one gone on.
      if (editing.value === message && text.value.trim() === body) editing.value = null;
    });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing || completion.onKeyDown(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void send();
    } else if (event.key === "Escape") {
      editing.value = null;
      replyingTo.value = null;
    } else if (event.key === "ArrowUp" && text.value === "" && !editing.value) {
      const last = timeline.messages.findLast(
        ({ sender, body, kind }) => sender.id === me.value?.id && body !== null && kind === "text",
      );
      if (last) {
        event.preventDefault();
        editing.value = last;
      }
    }
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <Banner conversation={conversation} />
      <div class="composer-row">
        <Completion completion={completion} id={id} />
        <textarea
          ref={box}
          rows={1}
          aria-label={editing.value ? t.editing : t.write(room ? roomName(room) : "")}
          placeholder={t.write(room ? roomName(room) : "")}
          aria-invalid={excess > 0}
          aria-describedby={`${id}-fault`}
          aria-autocomplete="list"
          aria-haspopup="listbox"
          aria-controls={`${id}-list`}
          aria-activedescendant={completion.open ? `${id}-${completion.index}` : undefined}
          value={text}
          dir="auto"
          enterkeyhint="send"
          onInput={(event) => {
            write(event.currentTarget.value);
            completion.look();
          }}
          onKeyDown={onKeyDown}
          onPointerDown={completion.close}
          onBlur={completion.close}
        />
        <button
          type="submit"
          class="icon-button send"
          aria-label={editing.value ? t.save : t.send}
          title={editing.value ? t.save : t.send}
          aria-disabled={text.value.trim() === "" || excess > 0 || saving.busy.value}
        >
          <Icon name={editing.value ? "check" : "send"} />
        </button>
      </div>
      <p class="fault" id={`${id}-fault`} role="alert">
        {excess > 0 ? t.tooLong(excess) : saving.error.value !== null && problemWords(saving.error.value)}
      </p>
    </form>
  );
}

/** What the text will be: a reply, or an edit. */
function Banner({ conversation }: { conversation: Conversation }) {
  const { editing, replyingTo, timeline, changes } = conversation;
  changes.value; // it may be deleted meanwhile
  const begun = editing.value ?? replyingTo.value;
  if (!begun) return null;
  const message = timeline.messages.find(({ seq }) => seq === begun.seq) ?? begun;
  return (
    <div class="composer-banner">
      <p>
        <strong>{editing.value ? t.editing : t.replyingTo(message.sender.name)}</strong>
        <bdi>{(message.body ?? t.deleted).slice(0, 140)}</bdi>
      </p>
      <button
        type="button"
        class="icon-button"
        aria-label={editing.value ? t.cancel : t.stopReplying}
        onClick={() => {
          editing.value = null;
          replyingTo.value = null;
          composer()?.focus();
        }}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}
