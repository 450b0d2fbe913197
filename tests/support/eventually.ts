/** Looks again until a condition holds, for what tells nobody when it happens. @throws after `ms` */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what = String(condition),
  ms = 10_000,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await Bun.sleep(5);
  }
}
