/** Looks again until a condition holds, for what tells nobody when it happens. @throws after 10 s */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what = String(condition),
): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await Bun.sleep(5);
  }
}
