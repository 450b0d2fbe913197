import { ApiError, NetworkError } from "../client/index.ts";
import { en } from "./words/en.ts";
import { fr } from "./words/fr.ts";

const LANGUAGES = { en, fr };

/** The first of the browser's languages that the page has words in. */
export const language = (navigator.languages
  .map((tag) => tag.slice(0, 2).toLowerCase())
  .find((tag) => tag in LANGUAGES) ?? "en") as keyof typeof LANGUAGES;

/** The page's words, in the reader's language. */
export const t: typeof en = LANGUAGES[language];

/** The browser's own form of the language, for dates and numbers: `fr-CA` rather than `fr`. */
export const locale =
  navigator.languages.find((tag) => tag.slice(0, 2).toLowerCase() === language && isLocale(tag)) ?? language;

/** Some browsers give names of the system's locale, such as `en-US@posix`. */
function isLocale(tag: string): boolean {
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(tag).length > 0;
  } catch {
    return false;
  }
}

/** A count in a badge, whose width is bounded; the exact one is in the words beside it. */
export const shortCount = (count: number): string => (count > 9_999 ? "9999+" : String(count));

/** An error, in words for the reader. */
export function problemWords(error: unknown): string {
  if (error instanceof NetworkError) return t.networkFault;
  if (error instanceof ApiError) {
    if (error.code === "rate-limited" && error.retryAfterMs !== null)
      return t.tooMuch(Math.ceil(error.retryAfterMs / 1000));
    return t.problems[error.code] ?? t.unknownFault;
  }
  return t.unknownFault;
}
