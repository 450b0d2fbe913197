import chromium from "@sparticuz/chromium";
import { type Browser, type BrowserContext, chromium as engine, type Page } from "playwright-core";
import type * as foyer from "../../src/web/client/index.ts";
import type { Client as Person } from "./client.ts";

declare global {
  interface Window {
    foyer: typeof foyer;
    client: foyer.Client;
    timeline: foyer.Timeline;
  }
}

/** What happens to streams on their way: passed on; held back but for the headers; held back whole. */
type StreamMode = "pass" | "hold" | "swallow";

/** A proxy in front of the API, with a bare page that has the client module as `window.foyer`. */
export interface ClientPages {
  readonly url: string;
  /** Where the API is; another server may take its place. */
  target: string;
  /** What streams say stays here unless it is `pass`, in open ones as well as in new ones. */
  streams: StreamMode;
  /** What was asked of the API, as `GET /rooms?since=…`, without the base path. */
  readonly requests: string[];
  /** Answers instead of the API, if it returns something. */
  intercept: (request: Request, path: string) => Response | Promise<Response | undefined> | undefined;
  /** Breaks the streams that are open. */
  cut(): void;
  /** A browser's cookie jar of its own, signed in. */
  context(person: Person): Promise<BrowserContext>;
  /** A page in it, with nothing running yet. */
  open(context: BrowserContext): Promise<Page>;
  close(): Promise<void>;
}

const API = "/chat/api";
/** No event, but something: or the headers would wait for the first one. */
const COMMENT = new TextEncoder().encode(": on its way\n\n");

export async function clientPages(target: string): Promise<ClientPages> {
  const [browser, script] = await Promise.all([launch(), bundle()]);
  const held = new Set<() => void>();
  /** What ends each open stream. */
  const open = new Set<() => void>();
  let streams: StreamMode = "pass";
  const requests: string[] = [];

  /** The bytes of a stream, held back while they are to be. */
  function relayed(upstream: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = upstream.getReader();
    let end = () => {};
    return new ReadableStream({
      start(controller) {
        end = () => {
          if (!open.delete(end)) return;
          controller.close();
          void reader.cancel();
        };
        open.add(end);
        controller.enqueue(COMMENT);
      },
      async pull(controller) {
        const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
        while (streams !== "pass") await new Promise<void>((resolve) => held.add(resolve));
        if (done) end();
        else if (open.has(end)) controller.enqueue(value);
      },
      async cancel(reason) {
        open.delete(end);
        await reader.cancel(reason);
      },
    });
  }

  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      if (pathname === "/client.js")
        return new Response(script, { headers: { "content-type": "text/javascript" } });
      if (!pathname.startsWith(API)) return new Response(PAGE, { headers: { "content-type": "text/html" } });
      const path = pathname.slice(API.length);
      requests.push(`${request.method} ${path}${search}`);
      const instead = await pages.intercept(request, path);
      if (instead) return instead;
      try {
        const body = request.method === "GET" ? undefined : await request.arrayBuffer();
        const answer = await fetch(pages.target + path + search, {
          method: request.method,
          headers: request.headers,
          body,
          signal: request.signal,
          keepalive: false,
        });
        while (path.startsWith("/stream") && streams === "swallow") {
          await new Promise<void>((resolve) => held.add(resolve));
        }
        if (!path.startsWith("/stream") || !answer.body) return new Response(answer.body, answer);
        return new Response(relayed(answer.body), answer);
      } catch {
        return new Response("<h1>502 Bad Gateway</h1>", {
          status: 502,
          headers: { "content-type": "text/html" },
        });
      }
    },
  });

  const pages: ClientPages = {
    url: server.url.origin,
    target,
    get streams() {
      return streams;
    },
    set streams(mode) {
      streams = mode;
      if (mode !== "pass") return;
      for (const release of held) release();
      held.clear();
    },
    requests,
    intercept: () => undefined,
    cut() {
      for (const end of [...open]) end();
    },
    async context(person) {
      const context = await browser.newContext();
      const [name = "", value = ""] = (person.headers.cookie ?? "").split("=");
      await context.addCookies([{ name, value, url: server.url.origin }]);
      return context;
    },
    async open(context) {
      const page = await context.newPage();
      await page.goto(server.url.origin);
      await page.waitForFunction(() => window.foyer !== undefined);
      return page;
    },
    async close() {
      pages.streams = "pass";
      await browser.close();
      await server.stop(true);
    },
  };
  return pages;
}

/** Opens the client in a page, as `window.client`. @param pace as Client.open's */
export const openClient = (page: Page, pace: Partial<foyer.Pace> = {}): Promise<void> =>
  page.evaluate(async (pace) => {
    const api = new window.foyer.Api();
    const me = await api.session();
    if (!me) throw new Error("nobody is signed in");
    window.client = await window.foyer.Client.open(api, me, pace);
  }, pace);

/** Opens a room's timeline in a page, as `window.timeline`. */
export const openTimeline = (page: Page, roomId: number, around?: number): Promise<void> =>
  page.evaluate(
    async ([roomId, around]) => {
      window.timeline = window.client.timeline(roomId as number);
      await window.timeline.open(around);
    },
    [roomId, around],
  );

/** Tells a page that it is shown, or hidden: headless, every page is shown. */
export const show = (page: Page, visible: boolean): Promise<void> =>
  page.evaluate(
    (state) => {
      Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
      document.dispatchEvent(new Event("visibilitychange"));
    },
    visible ? "visible" : "hidden",
  );

const PAGE = `<!doctype html><meta charset="utf-8"><title>A bare page</title>
<script type="module">import * as foyer from "/client.js"; window.foyer = foyer;</script>`;

async function bundle(): Promise<string> {
  const built = await Bun.build({
    entrypoints: [new URL("../../src/web/client/index.ts", import.meta.url).pathname],
    target: "browser",
  });
  return (built.outputs[0] as Bun.BuildArtifact).text();
}

/** Each page in a process of its own, as on a desk; the package is made for where there can be one alone. */
async function launch(): Promise<Browser> {
  const args = chromium.args.filter(
    (arg) => arg !== "--single-process" && arg !== "--no-zygote" && arg !== "--disable-web-security",
  );
  return engine.launch({ executablePath: await chromium.executablePath(), args, headless: true });
}
