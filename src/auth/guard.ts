import { Elysia } from "elysia";
import type { Config } from "../config.ts";
import type { Database, Sql } from "../db/client.ts";
import type { Limits } from "../limits/limits.ts";
import { type Announce, type Hint, isPersonal, userChanged } from "../live/hints.ts";
import { unauthenticated } from "../problem.ts";
import { isJwt } from "./jwt.ts";
import { bearerOf, publicOrigin } from "./origin.ts";
import { type Caller, type FoundCaller, findBySession, findByToken, type SessionLife } from "./queries.ts";
import { hashSecret } from "./secrets.ts";

/** Milliseconds for which a session is believed without another look, if it lasts as long; a sign-out is heard of at once. */
const BELIEVED_MS = 5_000;
/** Callers remembered at most. */
const REMEMBERED = 10_000;

const COOKIE = "foyer_session";
/** Behind https: a cookie that no other host, path or plain connection can have set. */
export const SECURE_COOKIE = `__Host-${COOKIE}`;
const DAY = 24 * 3600; // seconds

/** A database look-up that a request has spent on knowing its caller. */
export interface Spent {
  statements: number;
  ms: number;
}

/** What a caller shows. */
export interface Secret {
  kind: "session" | "token" | "jwt";
  value: string;
}

/** Knows callers by their cookie, token or JWT; remembers the last ones for a moment. */
export class Callers {
  readonly #remembered = new Map<string, { caller: Caller; until: number }>();
  #endings = 0;

  /**
   * @param limits how much each of them may do
   * @param byJwt who a JWT belongs to; left out: nobody. It throws Problem 401 or 503
   */
  constructor(
    private readonly sql: Sql,
    private readonly life: SessionLife,
    readonly limits: Limits,
    private readonly byJwt?: (token: string) => Promise<FoundCaller>,
  ) {}

  /** @throws Problem 401; 503 for a JWT whose key cannot be had */
  async identify(secret: Secret, spent: Spent): Promise<Caller> {
    const hash = hashSecret(secret.value);
    const key = `${secret.kind} ${hash.toString("base64")}`;
    const known = this.#remembered.get(key);
    if (known && known.until > Date.now()) return known.caller;
    this.#remembered.delete(key);

    const endings = this.#endings;
    const asked = Date.now();
    const started = performance.now();
    const found = await this.#find(secret, hash);
    spent.statements++;
    spent.ms += performance.now() - started;
    if (!found) throw unauthenticated();
    const { msLeft, ...caller } = found;
    // What ended while we looked may be this very one: use the answer, do not remember it.
    if (endings === this.#endings) {
      if (this.#remembered.size >= REMEMBERED) {
        const [oldest] = this.#remembered.keys();
        this.#remembered.delete(oldest as string);
      }
      this.#remembered.set(key, { caller, until: asked + Math.min(BELIEVED_MS, msLeft ?? BELIEVED_MS) });
    }
    return caller;
  }

  #find({ kind, value }: Secret, hash: Buffer): Promise<FoundCaller | undefined> | undefined {
    if (kind === "jwt") return this.byJwt?.(value);
    return kind === "session" ? findBySession(this.sql, hash, this.life) : findByToken(this.sql, hash);
  }

  /** Forgets what a hint tells of: a session or a token that ended, or a person who changed. */
  hear(hint: Hint): void {
    if (!isPersonal(hint)) return;
    this.#endings++;
    for (const [key, { caller }] of this.#remembered) {
      if (caller.credential === hint || userChanged(caller.id) === hint) this.#remembered.delete(key);
    }
  }
}

/** The caller's secret: of the bearer token if there is one, whatever the cookie says, else of the cookie. */
function secretOf(request: Request, config: Config): Secret {
  const token = bearerOf(request);
  if (token !== null) return { kind: isJwt(token) ? "jwt" : "token", value: token };
  const value = cookieOf(request, config);
  if (!value) throw unauthenticated();
  return { kind: "session", value };
}

/** The session's secret that the request's cookie holds, valid or not. */
export function cookieOf(request: Request, config: Config): string | null {
  const name = publicOrigin(request, config).https ? SECURE_COOKIE : COOKIE;
  return new Bun.CookieMap(request.headers.get("cookie") ?? "").get(name) || null;
}

/** The `Set-Cookie` of a session's secret; an empty one takes the cookie away. */
export function sessionCookie(request: Request, config: Config, secret: string): string {
  const { https } = publicOrigin(request, config);
  return new Bun.Cookie(https ? SECURE_COOKIE : COOKIE, secret, {
    path: "/",
    httpOnly: true,
    sameSite: "lax",
    secure: https,
    maxAge: secret === "" ? 0 : config.sessionDays * DAY,
  }).serialize();
}

/** What the routes of a feature are made of. */
export interface Dependencies {
  db: Database;
  callers: Callers;
  config: Config;
  announce: Announce;
}

/** Who asks. @throws Problem 401 */
export const callerOf = async (
  request: Request,
  callers: Callers,
  config: Config,
  spent: Spent = { statements: 0, ms: 0 },
): Promise<Caller> => callers.identify(secretOf(request, config), spent);

/** The plugin behind which everything authenticated lives: it yields `caller`, or answers 401. */
export const guard = (callers: Callers, config: Config) =>
  new Elysia().derive({ as: "scoped" }, async ({ request, route, set }) => {
    const spent: Spent = { statements: 0, ms: 0 };
    const caller = await callerOf(request, callers, config, spent);
    Object.assign(set.headers, callers.limits.calls(caller.id, request.method, route));
    return { caller, spent };
  });
