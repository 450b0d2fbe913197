import { memo } from "preact/compat";
import type { Message } from "../../client/index.ts";
import { me } from "../state.ts";
import { format, type Piece } from "./format.ts";
import type { People } from "./people.ts";

/** A message's text, as text nodes in elements of our own: whatever it holds, none of it is ever markup. */
export const Body = memo(function Body({ message, people }: { message: Message; people: People }) {
  const mentioned = message.mentions.flatMap((id) => people.get(id) ?? []);
  const byHandle = new Map(mentioned.map((user) => [user.handle.toLowerCase(), user]));
  const text = message.body ?? "";
  return (
    <div class={onlyEmoji(text) ? "body large" : "body"} dir="auto">
      {format(text, new Set(byHandle.keys())).map((piece, index) => (
        <PieceView
          key={index}
          piece={piece}
          own={piece.kind === "mention" && byHandle.get(piece.handle)?.id === me.value?.id}
        />
      ))}
    </div>
  );
});

function PieceView({ piece, own }: { piece: Piece; own: boolean }) {
  switch (piece.kind) {
    case "link":
      return (
        <a href={piece.href} target="_blank" rel="noopener noreferrer nofollow">
          {piece.text}
        </a>
      );
    case "mention":
      return <span class={own ? "at own" : "at"}>{piece.text}</span>;
    case "code":
      return <code>{piece.text}</code>;
    case "block":
      return (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a long line is scrolled by the arrow keys
        <pre tabIndex={0}>
          <code>{piece.text}</code>
        </pre>
      );
    case "text":
      return <>{piece.text}</>;
  }
}

const onlyEmoji = (text: string) => text.length <= 24 && /^(?:\p{RGI_Emoji}\s*){1,3}$/v.test(text);
