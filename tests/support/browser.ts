import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { removeUnpacked, whichBrowser } from "./chromium.ts";
import type { Client } from "./client.ts";

/** Besides what Playwright turns off already. */
const FLAGS = [
  "--disable-domain-reliability",
  "--no-pings",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", // nothing reaches another host, whatever asks for it
  "--font-render-hinting=none",
  "--disable-lcd-text",
];
/** Milliseconds that something may take to appear: a broken test should tell so soon. */
const WAIT_MS = 20_000;
/** What the browser itself says when a page asks whether somebody is signed in, and nobody is. */
const NOBODY = /status of 401 .*\/chat\/api\/session$/;

// One browser a run, started by the first test that needs it; preload.ts stops it.
let browser: Promise<Browser> | undefined;

async function launch(): Promise<Browser> {
  const { chromium } = await import("playwright-core");
  const found = await whichBrowser();
  return chromium.launch({ ...found, args: FLAGS }).catch((error) => {
    throw new Error(
      `No browser for the tests: ${error.message}\nSet CHROMIUM_PATH to the program of a Chromium or Chrome.`,
    );
  });
}

/** Who is or was in the browser during this test. */
const present = new Set<Visitor>();

/** Ends all visits, after each test. @throws if there was trouble on a page */
export async function endVisits(): Promise<void> {
  const visitors = [...present];
  present.clear();
  await Promise.all(visitors.map((visitor) => visitor.leave()));
  const troubles = visitors.flatMap(({ unexpected }) => unexpected);
  if (troubles.length > 0) throw new Error(`trouble on the page:\n${troubles.join("\n")}`);
}

export async function stopSharedBrowser(): Promise<void> {
  const running = await browser?.catch(() => undefined);
  await running?.close();
  await removeUnpacked();
}

/** How somebody looks at a page: language, light or dark, size, motion. */
export type Look = Pick<
  BrowserContextOptions,
  "locale" | "colorScheme" | "viewport" | "reducedMotion" | "timezoneId" | "deviceScaleFactor" | "hasTouch"
>;

/**
 * Somebody in a browser, with cookies and storage of their own, until the test ends. Whatever went wrong on their page
 * then fails the test, unless it was expected.
 */
export class Visitor implements AsyncDisposable {
  /** Errors and warnings on the console, uncaught errors, what the policy refused, requests to other hosts. */
  readonly troubles: string[] = [];
  /** Troubles that are none. */
  readonly expected: RegExp[] = [NOBODY];

  #page?: Page;

  private constructor(
    readonly origin: string,
    readonly context: BrowserContext,
  ) {}

  get page(): Page {
    return this.#page as Page; // there since `arrive`
  }

  static async arrive(origin: string, look: Look): Promise<Visitor> {
    browser ??= launch();
    const context = await (await browser).newContext({ locale: "en", reducedMotion: "reduce", ...look });
    const visitor = new Visitor(origin, context);
    present.add(visitor);
    await visitor.#watch();
    context.setDefaultTimeout(WAIT_MS);
    visitor.#page = await context.newPage();
    return visitor;
  }

  /** Takes the session that somebody has at the API. */
  async signIn({ headers }: Client): Promise<void> {
    for (const cookie of (headers.cookie ?? "").split("; ")) {
      const [name = "", value = ""] = cookie.split(/=(.*)/s);
      await this.context.addCookies([{ name, value, url: this.origin, httpOnly: true, sameSite: "Lax" }]);
    }
  }

  /** Goes to a place on the page: `#/room/12`. */
  async open(place = ""): Promise<Page> {
    await this.page.goto(`${this.origin}/${place}`);
    return this.page;
  }

  /** The troubles that nobody expected. */
  get unexpected(): string[] {
    return this.troubles.filter((trouble) => !this.expected.some((pattern) => pattern.test(trouble)));
  }

  /** Closes everything of theirs; what went wrong is told after the test. */
  leave(): Promise<void> {
    return this.context.close();
  }

  // Throws nothing: it would hide why the test failed.
  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  async #watch(): Promise<void> {
    const { context, origin, troubles } = this;
    context.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      troubles.push(`${message.type()}: ${message.text()} ${message.location().url}`);
    });
    context.on("weberror", (error) => void troubles.push(`uncaught: ${error.error()}`));
    context.on("request", (request) => {
      const url = new URL(request.url());
      if (!["data:", "about:"].includes(url.protocol) && url.origin !== origin)
        troubles.push(`elsewhere: ${url.href}`);
    });
    context.on("page", (page) => page.on("crash", () => void troubles.push("crashed")));
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) =>
        console.error(`refused by the policy: ${violatedDirective} ${blockedURI} ${sample}`),
      );
    });
  }
}

/** @param origin the server's address */
export const visit = (origin: string, look: Look = {}): Promise<Visitor> => Visitor.arrive(origin, look);

/** Somebody who is signed in already. */
export async function visitAs(client: Client, look: Look = {}): Promise<Visitor> {
  const visitor = await visit(new URL(client.api).origin, look);
  await visitor.signIn(client);
  return visitor;
}
