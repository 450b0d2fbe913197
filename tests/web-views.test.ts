import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { visit, visitAs } from "./support/browser.ts";
import { NOW, type Scene, setScene } from "./support/scene.ts";
import { SIZES, VIEWS } from "./support/views.ts";

/** Where the pictures are kept, for people to look at after a run. */
const ARTIFACTS = join(import.meta.dir, "artifacts", "page");

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
  await rm(ARTIFACTS, { recursive: true, force: true });
  await mkdir(ARTIFACTS, { recursive: true });
});
afterAll(() => scene.close());

for (const colorScheme of ["light", "dark"] as const) {
  for (const viewport of SIZES) {
    test(`every view fits ${viewport.width} px, ${colorScheme}, and is kept as a picture`, async () => {
      const look = { colorScheme, viewport, timezoneId: "Europe/Paris" };
      const guest = await visit(scene.server.url, look);
      const maya = await visitAs(scene.maya, look);
      for (const { context } of [guest, maya]) await context.clock.setFixedTime(NOW);
      for (const view of VIEWS) {
        const visitor = view.guest ? guest : maya;
        await view.go(visitor, scene);
        const { page } = visitor;
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect({ view: view.name, tooWide: Math.max(0, wide) }).toEqual({ view: view.name, tooWide: 0 });
        const path = join(ARTIFACTS, `${view.name}-${viewport.width}-${colorScheme}.png`);
        await page.screenshot({ path, animations: "disabled" });
      }
    });
  }
}
