import { useEffect } from "preact/hooks";
import { useFocusBack } from "../focus.ts";
import { t } from "../words.ts";
import { Popover } from "./popover.tsx";

/** What people react with most (Unicode's frequency of use, 2021, and what chats of this kind offer first). */
const EMOJI = "👍 ❤️ 😂 🎉 😮 😢 🙏 👀 ✅ ❌ 🔥 💯 👏 🚀 🤔 😊 😅 😍 😎 🥳 😡 👎 💡 ☕".split(" ");
const COLUMNS = 8;

const STEPS: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS };

/** Emoji to react with; the arrow keys move among them, Escape closes. */
export function EmojiGrid({ choose, close }: { choose: (emoji: string) => void; close: () => void }) {
  useFocusBack();
  useEffect(() => document.querySelector<HTMLElement>(".emoji-grid button")?.focus(), []);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (event.key === "Escape") close();
    else if (step !== undefined) {
      const buttons = [...(event.currentTarget as HTMLElement).querySelectorAll("button")];
      buttons[buttons.indexOf(event.target as HTMLButtonElement) + step]?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <Popover class="emoji-grid" label={t.chooseReaction} onKeyDown={onKeyDown}>
      {EMOJI.map((emoji, index) => (
        <button key={emoji} type="button" tabIndex={index === 0 ? 0 : -1} onClick={() => choose(emoji)}>
          {emoji}
        </button>
      ))}
    </Popover>
  );
}
