import { expect, test } from "bun:test";
import { Slots } from "../src/db/slots.ts";

/** Something in a slot, whether it has begun, and what becomes of it. */
function work(slots: Slots) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const one = { began: false, finish: resolve, fail: reject, outcome: Promise.resolve("") };
  one.outcome = slots
    .run(() => {
      one.began = true;
      return promise;
    })
    .catch((failure) => `failed: ${failure}`);
  return one;
}
const began = (all: { began: boolean }[]) => all.map(({ began }) => began);

test("so many at a time, and the others in the order in which they came", async () => {
  const slots = new Slots(2);
  const all = Array.from({ length: 4 }, () => work(slots));
  const [a, b, c, d] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0], (typeof all)[0]];
  expect(began(all)).toEqual([true, true, false, false]);
  b.finish("b");
  expect(await b.outcome).toBe("b");
  expect(began(all)).toEqual([true, true, true, false]);
  for (const [one, name] of [
    [a, "a"],
    [c, "c"],
    [d, "d"],
  ] as const)
    one.finish(name);
  expect(await Promise.all(all.map(({ outcome }) => outcome))).toEqual(["a", "b", "c", "d"]);
  expect(work(slots).began).toBe(true);
});

test("who has waited for as long as one that fails took fails with it, and who came later does not", async () => {
  const slots = new Slots(1);
  const [first, second, third] = [work(slots), work(slots), work(slots)];
  first.fail("late");
  expect(await first.outcome).toBe("failed: late");
  expect(began([second, third])).toEqual([true, false]);
  const later = work(slots);
  second.fail("late too");
  expect(await Promise.all([second.outcome, third.outcome])).toEqual([
    "failed: late too",
    "failed: late too",
  ]);
  expect(began([third, later])).toEqual([false, true]);
  later.finish("done");
  expect(await later.outcome).toBe("done");
});
