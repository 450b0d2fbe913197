import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Buckets } from "../src/limits/buckets.ts";

/** Buckets whose clock is set by hand (ms). */
function buckets(size = 64) {
  const clock = { now: 1_000 };
  return { clock, table: new Buckets(size, () => clock.now) };
}

const SEND = { burst: 3, perSecond: 2 };

test("a burst passes, then one for each that comes back", () => {
  const { clock, table } = buckets();
  const take = () => table.take("ada", SEND);
  expect(take()).toEqual({ passes: true, left: 2, waitMs: 0, fullMs: 500 });
  expect(take()).toEqual({ passes: true, left: 1, waitMs: 0, fullMs: 1_000 });
  expect(take()).toEqual({ passes: true, left: 0, waitMs: 0, fullMs: 1_500 });
  expect(take()).toEqual({ passes: false, left: 0, waitMs: 500, fullMs: 1_500 });
  clock.now += 499;
  expect(take()).toMatchObject({ passes: false, waitMs: 1 });
  clock.now += 1;
  expect(take()).toMatchObject({ passes: true, left: 0 });
  expect(take()).toMatchObject({ passes: false, waitMs: 500 });
  clock.now += 60_000;
  expect(take()).toMatchObject({ passes: true, left: 2 });
});

test("each key has a bucket of its own; a look takes nothing", () => {
  const { table } = buckets();
  for (let i = 0; i < 3; i++) table.take("ada", SEND);
  expect(table.take("ben", SEND).left).toBe(2);
  for (let i = 0; i < 9; i++) expect(table.look("ben", SEND)).toMatchObject({ passes: true, left: 1 });
  expect(table.look("ada", SEND)).toMatchObject({ passes: false, waitMs: 500 });
});

test("one that is given back can be taken again, and no more", () => {
  const { clock, table } = buckets();
  for (let round = 0; round < 50; round++) {
    expect(table.take("ada", SEND)).toMatchObject({ passes: true, left: 2 });
    table.giveBack("ada", SEND);
  }
  table.take("ada", SEND);
  clock.now += 60_000;
  table.giveBack("ada", SEND); // long after it has come back by itself
  for (let i = 0; i < 3; i++) expect(table.take("ada", SEND).passes).toBe(true);
  expect(table.take("ada", SEND).passes).toBe(false);
});

test("over any span of time no more than burst + rate × time pass, and no fewer than a bucket holds", () => {
  const rates = fc.record({
    burst: fc.integer({ min: 1, max: 40 }),
    perSecond: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constantFrom(1 / 6, 0.5, 100 / 3600, 7 / 60)),
  });
  const steps = fc.array(fc.record({ gap: fc.nat(3_000), tries: fc.integer({ min: 1, max: 60 }) }), {
    minLength: 1,
    maxLength: 30,
  });
  fc.assert(
    fc.property(rates, steps, (rate, steps) => {
      const { clock, table } = buckets();
      const passed: number[] = [];
      let tokens = rate.burst;
      for (const { gap, tries } of steps) {
        clock.now += gap;
        tokens = Math.min(rate.burst, tokens + (gap * rate.perSecond) / 1_000);
        for (let i = 0; i < tries; i++) {
          const { passes, left, waitMs } = table.take("ada", rate);
          // Half a token of the model's own rounding, either way, would show.
          if (passes) tokens -= 1;
          else expect(tokens).toBeLessThan(1 + 1e-6);
          expect(tokens).toBeGreaterThan(-1e-6);
          if (passes) passed.push(clock.now);
          expect(Math.abs(left - Math.max(0, Math.floor(tokens + 1e-6)))).toBeLessThanOrEqual(passes ? 0 : 1);
          expect(waitMs > 0).toBe(!passes);
          if (!passes) {
            const at = clock.now;
            clock.now = at + waitMs + 1e-6;
            expect(table.look("ada", rate).passes).toBe(true);
            clock.now = at;
          }
        }
      }
      for (let from = 0; from < passed.length; from++) {
        for (let to = from; to < passed.length; to++) {
          const span = (passed[to] as number) - (passed[from] as number);
          expect(to - from + 1).toBeLessThanOrEqual(rate.burst + (span * rate.perSecond) / 1_000 + 1e-6);
        }
      }
    }),
    { numRuns: 200 },
  );
}, 60_000);

test("a million keys take no more memory than one, and whoever has used up a burst stays known", () => {
  const { clock, table } = buckets(1_024);
  const wide = { burst: 10, perSecond: 1 };
  for (let i = 0; i < 10; i++) table.take("guesser", wide);
  Bun.gc(true);
  const before = heapStats();
  for (let i = 0; i < 1_000_000; i++) table.take(`2001:db8:${i.toString(16)}`, wide);
  Bun.gc(true);
  const after = heapStats();
  const grown = after.heapSize + after.extraMemorySize - before.heapSize - before.extraMemorySize;
  expect(grown).toBeLessThan(1_000_000); // a byte each would be as much
  expect(table.look("guesser", wide)).toMatchObject({ passes: false, waitMs: 1_000 });
  clock.now += 1_000;
  expect(table.take("guesser", wide).passes).toBe(true);
}, 30_000);

test("a mark is kept for its time, also among a million others that are counted", () => {
  const { clock, table } = buckets(1_024);
  table.mark("ada", 5_000);
  for (let i = 0; i < 100_000; i++) table.take(`${i}`, SEND);
  expect([table.isMarked("ada"), table.isMarked("ben"), table.isMarked("1")]).toEqual([true, false, false]);
  clock.now += 4_999;
  expect(table.isMarked("ada")).toBe(true);
  clock.now += 1;
  expect(table.isMarked("ada")).toBe(false);
});
