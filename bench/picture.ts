import type { Table } from "./bench.ts";

const WIDTH = 860;
const LEFT = 345;
const RIGHT = 110;
const ROW = 30;
const TOP = 96;
/** Characters that fit left of the bars. */
const MOST_LABEL = 44;

const escaped = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
const times = (value: number) =>
  `${value >= 1_000 ? Math.round(value).toLocaleString("en") : value >= 10 ? value.toFixed(0) : value.toFixed(1)} ×`;

/**
 * One picture of the results that a newcomer understands: how many times as much Foyer does as others, on a logarithmic
 * scale; those rows that have a name for it.
 * @returns null where there is none of them
 * @throws Error for a name that does not fit
 */
export function toSvg(tables: Table[]): string | null {
  const groups = tables
    .map(({ title, picture = title, rows }) => ({
      title: picture,
      rows: rows.filter(({ picture }) => picture),
    }))
    .filter(({ rows }) => rows.length > 0);
  if (groups.length === 0) return null;
  const long = groups.flatMap(({ rows }) => rows).find(({ picture = "" }) => picture.length > MOST_LABEL);
  if (long) throw new Error(`too long for the picture: ${long.picture}`);
  const all = groups.flatMap(({ rows }) => rows.map(({ ratio }) => ratio.median));
  const from = Math.min(0, Math.floor(Math.log10(Math.min(...all, 1))));
  const to = Math.max(1, Math.ceil(Math.log10(Math.max(...all, 10))));
  const x = (value: number) => LEFT + ((Math.log10(value) - from) / (to - from)) * (WIDTH - LEFT - RIGHT);

  let y = TOP;
  const marks: string[] = [];
  for (const { title, rows } of groups) {
    marks.push(`<text class="group" x="20" y="${y + 18}">${escaped(title)}</text>`);
    y += ROW;
    for (const { picture = "", ratio } of rows) {
      const [start, end] = [x(1), x(ratio.median)].sort((a, b) => a - b) as [number, number];
      marks.push(
        `<text class="name" x="${LEFT - 14}" y="${y + 15}">${escaped(picture)}</text>`,
        `<rect class="${ratio.median >= 1 ? "more" : "less"}" x="${start.toFixed(1)}" y="${y + 2}" width="${Math.max(end - start, 2).toFixed(1)}" height="18" rx="3"/>`,
        `<text class="times" x="${(Math.max(end, x(1)) + 8).toFixed(1)}" y="${y + 16}">${times(ratio.median)}</text>`,
      );
      y += ROW;
    }
    y += 10;
  }
  const grid: string[] = [];
  for (let power = from; power <= to; power++) {
    const at = x(10 ** power).toFixed(1);
    grid.push(
      `<line class="${power === 0 ? "one" : "grid"}" x1="${at}" y1="${TOP - 8}" x2="${at}" y2="${y}"/>`,
      `<text class="scale" x="${at}" y="${TOP - 14}">${power === 0 ? "as much" : `${(10 ** power).toLocaleString("en")} ×`}</text>`,
    );
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 16}" role="img" aria-labelledby="t d">
<title id="t">Foyer beside what one would use instead, and beside the least that there is</title>
<desc id="d">${escaped(groups.map(({ title, rows }) => `${title}: ${rows.map(({ picture, ratio }) => `${picture} ${times(ratio.median)}`).join(", ")}`).join(". "))}.</desc>
<style>
  text { font: 14px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 19px; font-weight: 600 } .group { font-weight: 600 } .name { text-anchor: end }
  .scale { font-size: 12px; text-anchor: middle; fill: #6e7781 } .times { font-weight: 600 }
  .ground { fill: #fff } .grid { stroke: #d8dee4 } .one { stroke: #6e7781 } .more { fill: #1f7a8c } .less { fill: #b5838d }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .scale { fill: #9198a1 } .ground { fill: #0d1117 } .grid { stroke: #30363d } .more { fill: #4cb5c9 }
  }
</style>
<rect class="ground" width="100%" height="100%" rx="8"/>
<text class="title" x="20" y="34">How many times as much Foyer does as …</text>
<text class="scale" style="text-anchor:start" x="20" y="56">longer is better; left of the line “as much”: less. Logarithmic scale; measured in turns on one machine</text>
${[...grid, ...marks].join("\n")}
</svg>
`;
}
