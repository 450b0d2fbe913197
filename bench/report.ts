import type { Row, Table } from "./bench.ts";

const digits = (value: number) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

/** Whether a ratio reaches its target; true where it has none. */
export const reaches = ({ ratio, target }: Row): boolean =>
  ratio.median >= (target?.least ?? 0) && ratio.median <= (target?.most ?? Number.POSITIVE_INFINITY);

/** Which part of its target a ratio reaches, or how many times it is what it may be at most. */
const shortfall = ({ ratio, target }: Row): string =>
  target?.least !== undefined
    ? `${Math.round((100 * ratio.median) / target.least)} % of what was to be reached`
    : `${digits(ratio.median / (target?.most ?? 1))} times what it may be`;

const targetWords = ({ target }: Row): string =>
  target?.least !== undefined ? `≥ ${target.least}` : target?.most !== undefined ? `≤ ${target.most}` : "";

/**
 * The results as Markdown: ratios only.
 */
export function toMarkdown(
  tables: Table[],
  about: { command: string; date: string; minutes: number; machine: [string, string][] },
): string {
  const lines = [
    "# Results",
    "",
    `Made by \`${about.command}\` on ${about.date}, in ${about.minutes} minutes. Every figure is a ratio: how many times the other's figure Foyer's is, taken round by round while the contestants took turns on one machine; the one in the middle, and in brackets the least and the most of all rounds. What was tried to get there is in [NOTES.md](NOTES.md).`,
    "",
    ...about.machine.map(([name, value]) => `- ${name}: ${value}`),
    "",
  ];
  for (const { title, about, rows, missing = [] } of tables) {
    lines.push(
      `## ${title}`,
      "",
      about,
      "",
      "| what | against | ratio | to reach | |",
      "| --- | --- | --- | --- | --- |",
    );
    for (const row of rows) {
      const { median, least, most } = row.ratio;
      const verdict = row.target ? (reaches(row) ? "✓" : "missed") : "";
      lines.push(
        `| ${row.what} | ${row.against} | **${digits(median)}** (${digits(least)} to ${digits(most)}) | ${targetWords(row)} | ${verdict} |`,
      );
    }
    lines.push("");
    for (const row of rows.filter((row) => !reaches(row))) {
      lines.push(
        `- Missed, ${row.what}, against ${row.against}: ${shortfall(row)}. ${row.why ?? "Not explained."}`,
      );
    }
    if (lines.at(-1) !== "") lines.push("");
    lines.push(...missing.flatMap((why) => [`Not measured: ${why}`, ""]));
  }
  return `${lines.join("\n").trimEnd()}\n`;
}
