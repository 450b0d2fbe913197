import type { Message } from "../../client/index.ts";
import { t } from "../words.ts";

const NAMED = /^(added|removed|renamed the room to) (.*)$/s;

/** What the server tells of a room, which is a predicate of the sender in English, in the reader's language. */
export function systemWords({ body, sender }: Message): string {
  const text = body ?? "";
  if (text === "joined the room") return t.told.joined(sender.name);
  if (text === "left the room") return t.told.left(sender.name);
  const [, what, whom = ""] = NAMED.exec(text) ?? [];
  if (what === "added") return t.told.added(sender.name, whom);
  if (what === "removed") return t.told.removed(sender.name, whom);
  if (what) return t.told.renamed(sender.name, whom.replace(/^“|”$/g, ""));
  return `${sender.name} ${text}`;
}
