import type { Pending } from "../../client/index.ts";
import { Avatar } from "../names.tsx";
import { me } from "../state.ts";
import { problemWords, t } from "../words.ts";
import type { Conversation } from "./conversation.ts";

/** What was sent here and has not arrived: shown as such, below what has. */
export function PendingMessages({ conversation }: { conversation: Conversation }) {
  const arrived = new Set(conversation.timeline.messages.slice(-50).map(({ clientId }) => clientId));
  return conversation.pending.value
    .filter(({ clientId }) => !arrived.has(clientId)) // the stream may be quicker than the answer
    .map((pending) => (
      <PendingMessage key={pending.clientId} conversation={conversation} pending={pending} />
    ));
}

function PendingMessage({ conversation, pending }: { conversation: Conversation; pending: Pending }) {
  const { outbox } = conversation.client;
  const words = {
    sending: t.sending,
    waiting: pending.problem?.status === 429 ? problemWords(pending.problem) : t.waiting,
    refused: t.refused(problemWords(pending.problem)),
  }[pending.state];
  return (
    <li class={`message own pending ${pending.state}`}>
      {me.value && <Avatar user={me.value} />}
      <div class="message-main">
        <p class="message-head">
          <bdi class="message-sender">{me.value?.name}</bdi> <span class="pending-state">{words}</span>
        </p>
        <div class="body" dir="auto">
          {pending.body}
        </div>
        {pending.state !== "sending" && (
          <p class="pending-actions">
            <button type="button" class="text-button" onClick={() => outbox.retry(pending.clientId)}>
              {t.retry}
            </button>
            <button type="button" class="text-button" onClick={() => outbox.discard(pending.clientId)}>
              {t.discard}
            </button>
          </p>
        )}
      </div>
    </li>
  );
}
