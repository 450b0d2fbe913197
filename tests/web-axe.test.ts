import { afterAll, beforeAll, expect, test } from "bun:test";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { visit, visitAs } from "./support/browser.ts";
import { NOW, type Scene, setScene } from "./support/scene.ts";
import { goTo, VIEWS } from "./support/views.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
});
afterAll(() => scene.close());

/** What people would stumble over who use a screen reader or the keyboard, or see little: each with where it is. */
async function stumbles(page: Page): Promise<string[]> {
  await page.evaluate(axe.source); // by the debugger: the policy would let no page do this
  const { violations } = await page.evaluate(() =>
    (window as unknown as { axe: typeof axe }).axe.run({
      resultTypes: ["violations"],
      preload: false,
      rules: { "target-size": { enabled: true } },
    }),
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")} ${failureSummary}`),
  );
}

// Each language, each scheme and each size once: none of them changes what another one is about.
for (const [language, colorScheme, viewport] of [
  ["en", "light", { width: 1440, height: 900 }],
  ["fr", "dark", { width: 390, height: 844 }],
] as const) {
  for (const view of VIEWS) {
    test(`nobody stumbles: ${view.name}, ${language}, ${colorScheme}, ${viewport.width} px`, async () => {
      const look = { locale: language, colorScheme, viewport };
      const visitor = view.guest ? await visit(scene.server.url, look) : await visitAs(scene.maya, look);
      await visitor.context.clock.setFixedTime(NOW);
      await goTo(view, visitor, scene, language);
      expect(await visitor.page.evaluate(() => document.documentElement.lang)).toBe(language);
      expect(await stumbles(visitor.page)).toEqual([]);
    });
  }
}
