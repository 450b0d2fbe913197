import type { Row, Table } from "./bench.ts";

const digits = (value: number) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

/** Whether a ratio reaches its target; true where it has none. */
export const reaches = ({ ratio, target }: Row): boolean =>
  ratio.median >= (target?.least ?? 0) && ratio.median <= (target?.most ?? Number.POSITIVE_INFINITY);

const targetOf = ({ target }: Row): string =>
  target?.least !== undefined ? `≥ ${target.least}` : target?.most !== undefined ? `≤ ${target.most}` : "";

function ratioOf({ ratio: { median, least, most, rounds } }: Row): string {
  const spread = rounds === 1 ? "once" : `${digits(least)} to ${digits(most)}`;
  return `**${digits(median)}** (${spread})`;
}

const lineOf = (row: Row): string => {
  const verdict = row.target ? (reaches(row) ? "✓" : "missed") : "";
  return `| ${row.what} ${row.better === "more" ? "↑" : "↓"} | ${row.against} | ${ratioOf(row)} | ${targetOf(row)} | ${verdict} |`;
};

/** The targets that are missed, by how much, and why: reason by reason. */
const missedLines = (rows: Row[]): string[] =>
  [
    ...Map.groupBy(
      rows.filter((row) => !reaches(row)),
      ({ why }) => why ?? "Not explained.",
    ),
  ].map(([why, some]) => {
    const which = some.map(
      (row) => `${row.what}, against ${row.against} (${digits(row.ratio.median)}, ${targetOf(row)})`,
    );
    return `- Missed: ${which.join("; ")}. ${why}`;
  });

const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** The results as Markdown: ratios only, for the figures themselves tell more of the machine than of Foyer. */
export function toMarkdown(
  tables: Table[],
  about: { command: string; isQuick: boolean; date: string; minutes: number; machine: [string, string][] },
): string {
  const lines = [
    "# Results",
    "",
    `Made by \`${about.command}\` on ${about.date}, in ${plural(about.minutes, "minute")}.`,
    "",
    ...(about.isQuick
      ? [
          "**A quick run: small data, few and short rounds. Good for seeing that it works, not for judging**; targets beside Flask count in the full run only.",
          "",
        ]
      : []),
    "Each ratio is Foyer's figure divided by the other's: 2 means twice the other's. Where the row has ↑, more is better; where it has ↓, less. The contestants took turns on one machine; each round gives a ratio, and shown are the one in the middle and, in brackets, the least and the most. Targets were set before anything was measured; those that are missed are listed below their table, with the reason. There are no absolute figures: they tell more of a machine than of Foyer. What was tried on the way is in [NOTES.md](NOTES.md).",
    "",
    ...about.machine.map(([name, value]) => `- ${name}: ${value}`),
    "",
  ];
  for (const { title, about, rows, missing = [] } of tables) {
    lines.push(`## ${title}`, "", about, "");
    lines.push("| what | against | ratio | target | reached |", "| --- | --- | --- | --- | --- |");
    lines.push(...rows.map(lineOf), "");
    const notes = [...missedLines(rows), ...missing.map((why) => `- Not measured: ${why}`)];
    if (notes.length > 0) lines.push(...notes, "");
  }
  return `${lines.join("\n").trimEnd()}\n`;
}
