import axe from "axe-core";
import type { Page } from "playwright-core";

/** What a screen reader's user, or somebody who sees little, would stumble over. */
export async function stumbles(page: Page, selector: string): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(
    (at) => (globalThis as unknown as { axe: typeof axe }).axe.run(at, { resultTypes: ["violations"] }),
    selector,
  );
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}
