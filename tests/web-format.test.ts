import { expect, test } from "bun:test";
import fc from "fast-check";
import { keepInSight, ROW, rowsToDraw } from "../src/web/page/list/rows.ts";
import { format, type Piece } from "../src/web/page/room/format.ts";

const ann = new Set(["ann", "ann-b"]);
const of = (kind: Piece["kind"], body: string) =>
  format(body, ann)
    .filter((piece) => piece.kind === kind)
    .map(({ text }) => text);

test("an address of the web is a link, without what ends the sentence", () => {
  expect(of("link", "see https://example.org/a. Or (http://example.org/b_(c)), too!")).toEqual([
    "https://example.org/a",
    "http://example.org/b_(c)",
  ]);
});

test("nothing but http and https becomes a link", () => {
  const bodies = [
    "javascript:alert(1)",
    "data:text/html,x",
    "ftp://example.org",
    "//example.org",
    "http://",
    "xhttp://a.b",
  ];
  for (const body of bodies) expect(format(body, ann)).toEqual([{ kind: "text", text: body }]);
});

test("a mention is the longest handle of somebody mentioned, not a part of an address", () => {
  expect(of("mention", "@ann, @Ann-b. @bob a@ann.org @ann-- @annx")).toEqual(["@ann", "@Ann-b", "@ann"]);
});

test("code is shown as it is: no links, no mentions in it", () => {
  expect(format("a `@ann http://a.b` b", ann)).toEqual([
    { kind: "text", text: "a " },
    { kind: "code", text: "@ann http://a.b" },
    { kind: "text", text: " b" },
  ]);
  expect(of("block", "```ts\nlet a = `b`;\n``` and ```x```")).toEqual(["let a = `b`;", "x"]);
  expect(of("code", "` and ``")).toEqual([]);
});

test("no text is lost, and none is added", () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(
      "http://a.b/",
      "@ann",
      "@ann-b.",
      "(",
      ")",
      "`",
      "```",
      "\n",
      "https://[",
      ".",
      "<b>",
      "&amp;",
    ),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), (words) => {
      const body = words.join("");
      const marks = /`|(?<=```)[\w+-]*\n|\n(?=```)/g; // of code, the only thing that is taken away
      const shown = format(body, ann)
        .map(({ text }) => text)
        .join("");
      expect(shown.replace(/[`\n\w+-]/g, "")).toBe(body.replace(/[`\n\w+-]/g, ""));
      if (!body.includes("`")) expect(shown).toBe(body.replace(marks, ""));
    }),
  );
});

test("a hostile text of the greatest length is taken apart at once", () => {
  const hostile = [
    `https://a${")".repeat(9_990)}`,
    `https://a${".".repeat(9_990)}x`,
    `@${"-".repeat(9_999)}`,
    "`".repeat(10_000),
    "```a".repeat(2_500),
    "@ann".repeat(2_500),
    "http://".repeat(1_400),
  ];
  for (const body of hostile) {
    const pieces = format(body, ann);
    expect(pieces.length).toBeLessThan(10_000);
  }
});

test("of a long list only the rows in sight are drawn", () => {
  const { from, to } = rowsToDraw(1_000 * ROW, 10 * ROW, 5_000);
  expect(from).toBeGreaterThan(980);
  expect(from).toBeLessThanOrEqual(1_000);
  expect(to).toBeGreaterThanOrEqual(1_010);
  expect(to).toBeLessThan(1_030);
  expect(rowsToDraw(0, 10 * ROW, 3)).toEqual({ from: 0, to: 3 });
});

test("what is in sight stays where it is when a row leaps to the top, when one comes and when one goes", () => {
  const ids = Array.from({ length: 100 }, (_, index) => index);
  const at = 50 * ROW + 20;
  const below = [80, ...ids.filter((id) => id !== 80)];
  expect(keepInSight(at, ids, below)).toBe(at + ROW);
  expect(keepInSight(at, ids, [200, ...ids])).toBe(at + ROW);
  expect(keepInSight(at, ids, ids.slice(1))).toBe(at - ROW);
  const fromSight = [51, ...ids.filter((id) => id !== 51)];
  expect(keepInSight(at, ids, fromSight)).toBe(at); // those after it have not moved
  expect(keepInSight(0, ids, [200, ...ids])).toBe(0);
});
