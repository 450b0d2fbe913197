import type { Page } from "playwright-core";
import { en } from "../../src/web/page/words/en.ts";
import { fr } from "../../src/web/page/words/fr.ts";
import type { Visitor } from "./browser.ts";
import type { Scene } from "./scene.ts";

/** The page's words in each of its languages, by what a browser's language is set to. */
export const WORDS = { en, fr };
type Words = typeof en;

/** What the page shows at one place: pictures are taken of it, and rules for all of the page are checked there. */
export interface View {
  name: string;
  /** Nobody is signed in. */
  guest?: true;
  /** Goes there, and waits until it is all there. */
  go(place: Place): Promise<unknown>;
}

/** Somebody on their way to a view. */
interface Place {
  page: Page;
  scene: Scene;
  t: Words;
  /** Loads the page at a hash. */
  open(hash?: string): Promise<unknown>;
  /** What the browser's console may then say. */
  expect(trouble: RegExp): void;
}

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const dialog = (page: Page, name: string) => page.getByRole("dialog", { name, exact: true });

/** What somebody said in the open room. */
const said = (page: Page, words: string) => page.locator("[data-seq]").getByText(words);

/** Opens the launch room, and waits for its messages and for the list, if there is room for it. */
async function launch({ page, scene, open }: Place, seq?: number): Promise<void> {
  await open(`#/room/${scene.room("launch")}${seq === undefined ? "" : `/${seq}`}`);
  await said(page, "3 min 48 s").waitFor();
}

/** Opens a dialog by its button, once the list is there. */
async function opened({ page, open }: Place, name: string): Promise<void> {
  await open();
  await page.getByRole("link", { name: /^launch/ }).waitFor();
  await button(page, name).click();
  await dialog(page, name).waitFor();
}

export const VIEWS: View[] = [
  {
    name: "sign-in",
    guest: true,
    async go({ page, open, t }) {
      await open();
      await button(page, t.signIn).waitFor();
    },
  },
  {
    name: "sign-up",
    guest: true,
    async go({ page, open, t }) {
      await open();
      await page.getByText(t.toSignUp).click();
      await page.getByLabel(t.name, { exact: true }).waitFor();
    },
  },
  {
    name: "rooms",
    async go({ page, open }) {
      await open();
      await page.getByRole("link", { name: /^launch/ }).waitFor();
    },
  },
  { name: "room", go: (place) => launch(place) },
  {
    name: "message",
    async go(place) {
      await launch(place, 3);
      await place.page.locator('[data-seq="3"]').focus();
      await button(place.page, place.t.reply).waitFor();
    },
  },
  {
    name: "direct",
    async go({ page, scene, open }) {
      await open(`#/room/${scene.room("ines")}`);
      await said(page, "five minutes before").waitFor();
    },
  },
  {
    name: "members",
    async go(place) {
      await launch(place);
      await button(place.page, place.t.members).click();
      await place.page
        .getByRole("list", { name: place.t.members })
        .getByText("Priya", { exact: true })
        .waitFor();
    },
  },
  {
    name: "search",
    async go(place) {
      const { page, t } = place;
      await launch(place);
      await button(page, t.search).click();
      const field = page.getByRole("searchbox", { name: t.searchFor });
      await field.fill("migration");
      await field.press("Enter");
      await page.getByRole("list", { name: t.searchResults }).getByText("staging").first().waitFor();
    },
  },
  {
    name: "room-settings",
    async go(place) {
      await launch(place);
      await button(place.page, place.t.roomSettings).click();
      await dialog(place.page, place.t.roomSettings).waitFor();
    },
  },
  { name: "settings", go: (place) => opened(place, place.t.settings) },
  { name: "new-room", go: (place) => opened(place, place.t.newRoom) },
  { name: "new-direct", go: (place) => opened(place, place.t.newDirect) },
  {
    name: "open-rooms",
    async go(place) {
      await opened(place, place.t.openRooms);
      await place.page.getByRole("list", { name: place.t.openRooms }).getByText("general").waitFor();
    },
  },
  {
    name: "gone",
    async go({ page, open, t, expect }) {
      expect(/status of 404 .*\/rooms\/987654321\//);
      await open("#/room/987654321");
      await page.getByText(t.roomGone).waitFor();
    },
  },
];

/** Goes to a view, by a page that is loaded anew. */
export async function goTo(view: View, visitor: Visitor, scene: Scene, language: keyof typeof WORDS = "en") {
  const { page } = visitor;
  await scene.unread(); // what the view before has read
  await view.go({
    page,
    scene,
    t: WORDS[language],
    expect: (trouble) => void visitor.expected.push(trouble),
    async open(hash = "#/") {
      await page.goto("about:blank"); // or only the hash would change
      await visitor.open(hash);
    },
  });
}

/** Widths at which the page must be well: a phone, a tablet, a desk; with the heights that go with them. */
export const SIZES = [
  { width: 390, height: 844 },
  { width: 820, height: 1180 },
  { width: 1440, height: 900 },
];
