import { Elysia, t } from "elysia";
import type { Sql } from "../db/client.ts";
import { isInvited, useInvite } from "../invites/queries.ts";
import { credentialEnded } from "../live/hints.ts";
import { Problem } from "../problem.ts";
import { pathId, personName, text } from "../schema.ts";
import { userAgentOf } from "./device.ts";
import { cookieOf, type Dependencies, guard, sessionCookie } from "./guard.ts";
import { LONGEST_JWT } from "./jwt.ts";
import { hashPassword, verifyPassword } from "./passwords.ts";
import * as queries from "./queries.ts";
import { hashSecret, newSessionSecret, newToken } from "./secrets.ts";
import { handle } from "./words.ts";

const password = text({ minLength: 8, maxLength: 256, description: "takes 8 to 256 characters" });
const inviteCode = text({ minLength: 1, maxLength: 100 });
/** A password that is only compared may be of any length that fits a body. */
const anyPassword = text({ minLength: 0, maxLength: 1024 });

/** The same words whether or not there is such a handle. */
const wrongCredentials = () => new Problem(401, "bad-credentials", "The handle or the password is wrong.");
const wrongPassword = () => new Problem(401, "bad-credentials", "The current password is wrong.");

const signupClosed = () => new Problem(403, "signup-closed", "Nobody can sign up here.");
const badInvite = () =>
  new Problem(403, "bad-invite", "Signing up takes an invite that is neither used nor expired.");

/** Sign-up, sign-in, sign-out, password and bearer tokens. */
export function authRoutes({ db, callers, config, announce }: Dependencies) {
  const { sql } = db;

  const cookieHeader = (request: Request, secret: string) => ({
    "set-cookie": sessionCookie(request, config, secret),
  });

  /**
   * Starts a session, in place of the one that this browser had; its cookie goes into the response.
   * @throws Problem 401 if the password has changed since it was checked against `passwordHash`
   */
  const signIn = async (request: Request, userId: number, passwordHash: string | null) => {
    const secret = newSessionSecret();
    const replaced = cookieOf(request, config);
    const session = {
      userId,
      passwordHash,
      secretHash: hashSecret(secret),
      replacedHash: replaced === null ? null : hashSecret(replaced),
      userAgent: userAgentOf(request),
    };
    const ended = await queries.createSession(sql, session, config);
    if (!ended) throw wrongCredentials();
    announce(...ended.map(credentialEnded));
    return cookieHeader(request, secret);
  };
  /** The session that the browser's cookie names, if it is this person's and still holds. */
  const sessionOf = async (request: Request, userId: number): Promise<string | null> => {
    const secret = cookieOf(request, config);
    if (secret === null) return null;
    const found = await queries.findBySession(sql, hashSecret(secret), config);
    return found?.id === userId ? secret : null;
  };
  const publicUser = ({ id, handle, name }: queries.User): queries.User => ({ id, handle, name });

  const open = new Elysia({ tags: ["Identity"] })
    .post(
      "/users",
      async ({ request, server, body, set }) => {
        if (config.signup === "closed") throw signupClosed();
        const address = callers.limits.addressOf(request, server);
        callers.limits.take("sign-up", address);
        const invite = config.signup === "invite" ? hashSecret(body.invite ?? "") : null;
        if (invite && !(await isInvited(sql, invite))) throw badInvite();
        const passwordHash = await hashPassword(body.password);
        const signUp = async (tx: Sql) => {
          const { handle, name } = body;
          const made = await queries.createUser(tx, { handle, name: name.trim(), passwordHash });
          if (invite && !(await useInvite(tx, invite, made.id))) throw badInvite();
          return made;
        };
        const user = await (invite ? db.transaction(signUp) : signUp(sql));
        Object.assign(set.headers, await signIn(request, user.id, passwordHash));
        callers.limits.knows(user.handle, address);
        set.status = 201;
        return user;
      },
      {
        body: t.Object({ handle, name: personName, password, invite: t.Optional(inviteCode) }),
        detail: { summary: "Sign up, and sign in; where the server asks for it, by an invite" },
      },
    )
    .post(
      "/session",
      async ({ request, server, body, set }) => {
        const address = callers.limits.addressOf(request, server);
        // All of it: that a right password of somebody who may not sign in goes uncounted would tell that it is right.
        return callers.limits.guess(body.handle, address, async () => {
          const user = await queries.findByHandle(sql, body.handle);
          const passwordHash = user?.password_hash ?? null;
          const right = await verifyPassword(body.password, passwordHash);
          if (!right || !user || passwordHash === null) throw wrongCredentials();
          Object.assign(set.headers, await signIn(request, user.id, passwordHash));
          return publicUser(user);
        });
      },
      {
        body: t.Object({ handle: text({ minLength: 0, maxLength: 256 }), password: anyPassword }),
        detail: { summary: "Sign in" },
      },
    );

  const byJwt = new Elysia({ tags: ["Identity"] }).post(
    "/session/jwt",
    async ({ request, body, set }) => {
      if (!config.jwt) throw new Problem(403, "jwt-off", "This server takes no JWTs: none are set up.");
      const caller = await callers.identify({ kind: "jwt", value: body.token }, { statements: 0, ms: 0 });
      // A page exchanges its token whenever it is loaded: the session that the browser's other tabs hold stays theirs.
      const held = await sessionOf(request, caller.id);
      Object.assign(
        set.headers,
        held === null ? await signIn(request, caller.id, null) : cookieHeader(request, held),
      );
      return publicUser(caller);
    },
    {
      body: t.Object({ token: text({ minLength: 1, maxLength: LONGEST_JWT }) }),
      detail: { summary: "Sign in by a JWT of the application that this server belongs to" },
    },
  );

  const ways = new Elysia({ tags: ["Identity"] }).get(
    "/session/ways",
    () => ({ signup: config.signup, jwt: config.jwt !== null }),
    { detail: { summary: "How one can come in: who may sign up, and whether by a JWT" } },
  );

  const guarded = new Elysia({ tags: ["Identity"] })
    .use(guard(callers, config))
    .get("/session", ({ caller }) => publicUser(caller), { detail: { summary: "Who is signed in" } })
    .delete(
      "/session",
      async ({ request, caller, set }) => {
        if (caller.credential.startsWith("s")) {
          await queries.endSession(sql, caller.id, Number(caller.credential.slice(1)));
          announce(credentialEnded(caller.credential));
        }
        set.headers["set-cookie"] = sessionCookie(request, config, "");
        set.status = 204;
      },
      { detail: { summary: "Sign out: the session and its streams end; a bearer token stays" } },
    )
    .get("/sessions", async ({ caller }) => ({ sessions: await queries.listSessions(sql, caller) }), {
      detail: { summary: "My sessions: by which device, and when they were last used" },
    })
    .delete(
      "/sessions/:id",
      async ({ request, caller, params, set }) => {
        const id = pathId(params.id, "path");
        if (await queries.endSession(sql, caller.id, id)) announce(credentialEnded(`s${id}`));
        if (caller.credential === `s${id}`) set.headers["set-cookie"] = sessionCookie(request, config, "");
        set.status = 204;
      },
      { detail: { summary: "End one of my sessions, and its streams" } },
    )
    .put(
      "/session/password",
      async ({ request, server, caller, body, set }) => {
        const address = callers.limits.addressOf(request, server);
        const oldHash = await callers.limits.guess(caller.handle, address, async () => {
          const user = await queries.findByHandle(sql, caller.handle);
          const oldHash = user?.password_hash ?? null;
          if (oldHash === null || !(await verifyPassword(body.current, oldHash))) throw wrongPassword();
          return oldHash;
        });
        const newHash = await hashPassword(body.next);
        const change = { userId: caller.id, oldHash, newHash, credential: caller.credential };
        const ended = await db.transaction((tx) => queries.changePassword(tx, change));
        if (!ended) throw wrongPassword();
        announce(...ended.map(credentialEnded));
        set.status = 204;
      },
      {
        body: t.Object({ current: anyPassword, next: password }),
        detail: { summary: "Change the password: every other session ends, with its streams" },
      },
    )
    .post(
      "/tokens",
      async ({ caller, body, set }) => {
        const token = newToken();
        const wanted = { name: body.name, secretHash: hashSecret(token) };
        const made = await db.transaction((tx) => queries.createToken(tx, caller, wanted));
        set.status = 201;
        return { id: made.id, name: made.name, token, createdAt: made.createdAt };
      },
      {
        body: t.Object({ name: text({ minLength: 1, maxLength: 80 }) }),
        detail: { summary: "Make a bearer token for a program; it is shown once" },
      },
    )
    .get("/tokens", async ({ caller }) => ({ tokens: await queries.listTokens(sql, caller.id) }), {
      detail: { summary: "My bearer tokens, without their secrets" },
    })
    .delete(
      "/tokens/:id",
      async ({ caller, params, set }) => {
        const id = pathId(params.id, "path");
        if (await queries.deleteToken(sql, caller.id, id)) announce(credentialEnded(`t${id}`));
        set.status = 204;
      },
      { detail: { summary: "End a bearer token, and its streams" } },
    );

  return new Elysia().use(open).use(byJwt).use(ways).use(guarded);
}
