import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { visit, visitAs } from "./support/browser.ts";
import { NOW, type Scene, setScene } from "./support/scene.ts";
import { goTo, SIZES, VIEWS } from "./support/views.ts";

/** Where the pictures are kept, for people to look at after a run. */
const ARTIFACTS = join(import.meta.dir, "artifacts", "page");

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
  await rm(ARTIFACTS, { recursive: true, force: true });
  await mkdir(ARTIFACTS, { recursive: true });
});
afterAll(() => scene.close());

/** What one could use or read, did it not lie beside the window; and the window itself, where it scrolls sideways. */
const cutOff = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("html, button, a, input, textarea, select, h1, h2, h3, .body")]
      .filter((element) => {
        const { left, right, width } = element.getBoundingClientRect();
        const wide = element.localName === "html" && element.scrollWidth > innerWidth;
        return wide || (width > 1 && element.checkVisibility() && (left < -0.5 || right > innerWidth + 0.5));
      })
      .map((element) => element.outerHTML.slice(0, 100)),
  );

for (const colorScheme of ["light", "dark"] as const) {
  test(`every view fits a phone, a tablet and a desk, ${colorScheme}, and is kept as pictures`, async () => {
    const look = { colorScheme, timezoneId: "Europe/Paris" };
    const guest = await visit(scene.server.url, look);
    const maya = await visitAs(scene.maya, look);
    for (const { context } of [guest, maya]) await context.clock.setFixedTime(NOW);
    const outside: Record<string, string[]> = {};
    for (const view of VIEWS) {
      const visitor = view.guest ? guest : maya;
      await goTo(view, visitor, scene);
      for (const size of SIZES) {
        await visitor.page.setViewportSize(size);
        const name = `${view.name}-${size.width}-${colorScheme}`;
        await visitor.page.screenshot({ path: join(ARTIFACTS, `${name}.png`), animations: "disabled" });
        const cut = await cutOff(visitor.page);
        if (cut.length > 0) outside[name] = cut;
      }
    }
    expect(outside).toEqual({});
  }, 180_000);
}

test("the README's pictures are there, and small", async () => {
  const root = join(import.meta.dir, "..");
  const readme = await Bun.file(join(root, "README.md")).text();
  const pictures = [...readme.matchAll(/<img src="([^"]+\.png)"/g)].map(([, path]) => path as string);
  expect(pictures).toHaveLength(2);
  for (const picture of pictures) {
    const bytes = await Bun.file(join(root, picture)).bytes();
    expect(Buffer.from(bytes.subarray(1, 4)).toString()).toBe("PNG");
    expect(bytes.length).toBeLessThan(150_000);
  }
});
