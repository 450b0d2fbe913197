import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { endVisits, type Look, stopSharedBrowser, visitAs } from "./support/browser.ts";
import { stopSharedDatabase } from "./support/database.ts";
import { NOW, setScene } from "./support/scene.ts";
import { goTo, VIEWS, type View } from "./support/views.ts";

/** `bun run screenshots`: takes the README's pictures anew. */
const FOLDER = join(import.meta.dir, "..", "docs");
const MOST_BYTES = 150_000; // each is loaded with the README

const PICTURES: { name: string; view: string; look: Look }[] = [
  { name: "page-desk", view: "room", look: { colorScheme: "light", viewport: { width: 1280, height: 800 } } },
  { name: "page-phone", view: "room", look: { colorScheme: "dark", viewport: { width: 390, height: 844 } } },
];

await mkdir(FOLDER, { recursive: true });
const scene = await setScene();
for (const { name, view, look } of PICTURES) {
  const maya = await visitAs(scene.maya, { timezoneId: "Europe/Paris", ...look });
  await maya.context.clock.setFixedTime(NOW);
  await goTo(VIEWS.find(({ name }) => name === view) as View, maya, scene);
  const path = join(FOLDER, `${name}.png`);
  const { length } = await maya.page.screenshot({ path, animations: "disabled" });
  console.log(`${path}  ${length} bytes`);
  await endVisits();
  if (length > MOST_BYTES) throw new Error(`${name}.png is larger than ${MOST_BYTES} bytes`);
}
await scene.close();
await stopSharedBrowser();
await stopSharedDatabase();
process.exit(0);
