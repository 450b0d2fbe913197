/** Characters of a User-Agent that are kept. */
const MOST = 200;

/** A browser's or program's name for itself, as it is kept with the session. */
export const userAgentOf = ({ headers }: Request): string => (headers.get("user-agent") ?? "").slice(0, MOST);

// The first that fits: nearly every browser also names those that it descends from.
const BROWSERS: [RegExp, string][] = [
  [/\bEdg(e|A|iOS)?\//, "Edge"],
  [/\b(OPR|Opera)\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\bVivaldi\//, "Vivaldi"],
  [/\b(Firefox|FxiOS)\//, "Firefox"],
  [/\b(Chrome|CriOS|HeadlessChrome|Chromium)\//, "Chrome"],
  [/\bVersion\/\S+.* Safari\//, "Safari"],
];
const SYSTEMS: [RegExp, string][] = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b|\bMacintosh\b/, "macOS"],
  [/\bLinux\b|\bX11\b/, "Linux"],
];

/**
 * A User-Agent in words that are the same in every language: `Firefox, Linux`; of a program its own name for itself:
 * `curl`. Only a hint for the session's owner: it is whatever the client said.
 * @returns null where it says nothing that can be made out
 */
export function deviceOf(userAgent: string): string | null {
  const found = (known: [RegExp, string][]) => known.find(([pattern]) => pattern.test(userAgent))?.[1];
  const browser = found(BROWSERS);
  const system = found(SYSTEMS);
  if (browser || (system && userAgent.startsWith("Mozilla/"))) {
    return [browser, system].filter(Boolean).join(", ");
  }
  return /^[\w.-]{1,40}(?=$|[/ ])/.exec(userAgent)?.[0] ?? null;
}
