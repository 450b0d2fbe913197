import type { Locator, Page } from "playwright-core";

/** The parts of the page by what people see of them. */
export const rowOf = (page: Page, name: string): Locator => page.locator(".row", { hasText: name });
export const badgeOf = (page: Page, name: string): Locator => rowOf(page, name).locator("[data-unread]");
export const composer = (page: Page): Locator => page.locator(".composer textarea");
/** The message that says so, in the open room. */
export const messageOf = (page: Page, text: string): Locator =>
  page.locator("[data-seq]").filter({ has: page.getByText(text, { exact: true }) });

/** Writes into the open room. */
export async function say(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press("Enter");
}

/** Does something with a message by the buttons beside it. */
export async function act(page: Page, text: string, action: string): Promise<void> {
  await messageOf(page, text).hover();
  await messageOf(page, text).getByRole("button", { name: action, exact: true }).click();
}

/** Waits until what is looked for is there once, with this text where one is given. */
export async function see(locator: Locator, text?: string): Promise<void> {
  await (text === undefined ? locator : locator.filter({ hasText: text })).first().waitFor();
}

/** Waits until it is nowhere. */
export const miss = (locator: Locator): Promise<void> => locator.first().waitFor({ state: "detached" });
