import type { Message } from "../../client/index.ts";
import { inSentence } from "../names.tsx";
import { t } from "../words.ts";

const NAMED = /^(added|removed|renamed the room to) (.*)$/s;

/** What the server tells of a room, which is a predicate of the sender in English, in the reader's language. */
export function systemWords({ body, sender }: Message): string {
  const text = inSentence(body ?? "");
  const who = inSentence(sender.name);
  if (text === "joined the room") return t.told.joined(who);
  if (text === "left the room") return t.told.left(who);
  const [, what, whom = ""] = NAMED.exec(text) ?? [];
  if (what === "added") return t.told.added(who, whom);
  if (what === "removed") return t.told.removed(who, whom);
  if (what) return t.told.renamed(who, whom.replace(/^“|”$/g, ""));
  return `${who} ${text}`;
}
