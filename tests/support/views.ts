import type { Page } from "playwright-core";
import type { Visitor } from "./browser.ts";
import type { Scene } from "./scene.ts";

/** What the page shows at one place, as pictures are taken of it and rules for all of the page are checked. */
export interface View {
  name: string;
  /** Nobody is signed in. */
  guest?: true;
  /** Goes there, and waits until it is all there. */
  go(visitor: Visitor, scene: Scene): Promise<unknown>;
}

/** Something that is on the page when a view is all there. */
const shown = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();

export const VIEWS: View[] = [
  {
    name: "sign-in",
    guest: true,
    go: async (visitor) => shown(await visitor.open(), "Foyer"),
  },
  {
    name: "rooms",
    go: async (visitor) => shown(await visitor.open("#/"), "Foyer"),
  },
  {
    name: "room",
    go: async (visitor, scene) => shown(await visitor.open(`#/room/${scene.room("launch")}`), "Foyer"),
  },
];

/** Widths at which the page must be well: a phone, a tablet, a desk; with the heights that go with them. */
export const SIZES = [
  { width: 390, height: 844 },
  { width: 820, height: 1180 },
  { width: 1440, height: 900 },
];
