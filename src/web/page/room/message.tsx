import { memo } from "preact/compat";
import type { Message } from "../../client/index.ts";
import { Avatar } from "../names.tsx";
import { me } from "../state.ts";
import { clockTime, fullTime } from "../time.ts";
import { t } from "../words.ts";
import { Actions, isChoosing, isKeyboardAtActions } from "./actions.tsx";
import { Body } from "./body.tsx";
import type { Conversation } from "./conversation.ts";
import type { People } from "./people.ts";
import { Reactions } from "./reactions.tsx";
import { systemWords } from "./system.ts";

interface MessageProps {
  conversation: Conversation;
  message: Message;
  compact: boolean;
  people: People;
  /** What it replies to, where that is among the messages that are there. */
  replied: Message | null;
  active: boolean;
  /** Whether Tab stops here: at one message; the arrow keys go on from it. */
  stop: boolean;
  seen: string;
}

/** One message: who, when, what it answers, its text, its reactions, and what can be done with it. */
export const MessageView = memo(function MessageView(props: MessageProps) {
  const { conversation, message, compact, people, replied, active, stop, seen } = props;
  const show = () => {
    conversation.active.value = message.seq;
  };
  /** What lies still while the messages move under it takes nothing from the keyboard. */
  const point = (event: PointerEvent) => {
    if (event.pointerType !== "mouse" || active || isChoosing()) return;
    const isMoved = event.movementX !== 0 || event.movementY !== 0;
    if (isKeyboardAtActions()) {
      if (!isMoved) return;
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    }
    show();
  };
  if (message.kind === "system") {
    return (
      <li class="system" data-seq={message.seq} tabIndex={stop ? 0 : -1}>
        <bdi>{systemWords(message)}</bdi> <Time message={message} />
      </li>
    );
  }
  const own = message.sender.id === me.value?.id;
  const mentioned = message.mentions.includes(me.value?.id ?? 0);
  const classes = [
    "message",
    compact && "compact",
    active && "active",
    own && "own",
    mentioned && "mentions-me",
  ];
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a tap shows what the focus shows
    <li
      class={classes.filter(Boolean).join(" ")}
      data-seq={message.seq}
      tabIndex={stop ? 0 : -1}
      onFocus={show}
      onPointerEnter={point}
      onPointerMove={point}
      onClick={show}
    >
      {compact ? <Time message={message} /> : <Avatar user={message.sender} />}
      <div class="message-main">
        {message.replyTo !== null && (
          <Quote conversation={conversation} seq={message.replyTo} message={replied} />
        )}
        <p class={compact ? "visually-hidden" : "message-head"}>
          <bdi class="message-sender">{message.sender.name}</bdi> {!compact && <Time message={message} />}
        </p>
        {message.body === null ? <p class="gone">{t.deleted}</p> : <Body message={message} people={people} />}
        {message.editedAt !== null && message.body !== null && (
          <span class="edited" title={fullTime(message.editedAt)}>
            ({t.edited})
          </span>
        )}
        <Reactions conversation={conversation} message={message} people={people} />
        {seen !== "" && <p class="seen">{seen}</p>}
      </div>
      {active && message.body !== null && <Actions conversation={conversation} message={message} own={own} />}
    </li>
  );
});

const Time = ({ message }: { message: Message }) => (
  <time class="message-time" dateTime={message.createdAt} title={fullTime(message.createdAt)}>
    {clockTime(message.createdAt)}
  </time>
);

/** What a message answers; a click goes there. */
function Quote({
  conversation,
  seq,
  message,
}: {
  conversation: Conversation;
  seq: number;
  message: Message | null;
}) {
  const text = message ? (message.body ?? t.deleted) : t.replyGone;
  return (
    <button
      type="button"
      class="quote"
      onClick={(event) => {
        event.stopPropagation();
        conversation.jump(seq);
      }}
    >
      {message && <bdi class="quote-sender">{message.sender.name}</bdi>} <bdi>{text.slice(0, 140)}</bdi>
    </button>
  );
}
