import { Elysia, t } from "elysia";
import { credentialEnded } from "../live/hints.ts";
import { Problem } from "../problem.ts";
import { pathId, personName, text } from "../schema.ts";
import { type Dependencies, guard, sessionCookie } from "./guard.ts";
import { hashPassword, verifyPassword } from "./passwords.ts";
import * as queries from "./queries.ts";
import { hashSecret, newSessionSecret, newToken } from "./secrets.ts";

const handle = text({
  minLength: 2,
  maxLength: 32,
  pattern: "^[a-z0-9._-]{2,32}$",
  description: "takes 2 to 32 of a-z, 0-9, dot, underscore and dash",
});
const password = text({ minLength: 8, maxLength: 256, description: "takes 8 to 256 characters" });
/** A password that is only compared may be of any length that fits a body. */
const anyPassword = text({ minLength: 0, maxLength: 1024 });

/** The same words whether or not there is such a handle. */
const wrongCredentials = () => new Problem(401, "bad-credentials", "The handle or the password is wrong.");
const wrongPassword = () => new Problem(401, "bad-credentials", "The current password is wrong.");

/** Sign-up, sign-in, sign-out, password and bearer tokens. */
export function authRoutes({ db, callers, config, announce }: Dependencies) {
  const { sql } = db;

  /**
   * Starts a session; its cookie goes into the response.
   * @throws Problem 401 if the password has changed since it was checked against `passwordHash`
   */
  const signIn = async (request: Request, userId: number, passwordHash: string) => {
    const secret = newSessionSecret();
    const session = { userId, passwordHash, secretHash: hashSecret(secret) };
    if (!(await queries.createSession(sql, session))) throw wrongCredentials();
    return { "set-cookie": sessionCookie(request, config, secret), "cache-control": "no-store" };
  };
  const publicUser = ({ id, handle, name }: queries.User): queries.User => ({ id, handle, name });

  const open = new Elysia({ tags: ["Identity"] })
    .post(
      "/users",
      async ({ request, server, body, set }) => {
        const address = callers.limits.addressOf(request, server);
        callers.limits.take("sign-up", address);
        const passwordHash = await hashPassword(body.password);
        const user = await queries.createUser(sql, {
          handle: body.handle,
          name: body.name.trim(),
          passwordHash,
        });
        Object.assign(set.headers, await signIn(request, user.id, passwordHash));
        callers.limits.knows(user.handle, address);
        set.status = 201;
        return user;
      },
      { body: t.Object({ handle, name: personName, password }), detail: { summary: "Sign up, and sign in" } },
    )
    .post(
      "/session",
      async ({ request, server, body, set }) => {
        const address = callers.limits.addressOf(request, server);
        const { user, passwordHash } = await callers.limits.guess(body.handle, address, async () => {
          const user = await queries.findByHandle(sql, body.handle);
          const passwordHash = user?.password_hash ?? null;
          const right = await verifyPassword(body.password, passwordHash);
          if (!right || !user || passwordHash === null) throw wrongCredentials();
          return { user, passwordHash };
        });
        Object.assign(set.headers, await signIn(request, user.id, passwordHash));
        return publicUser(user);
      },
      {
        body: t.Object({ handle: text({ minLength: 0, maxLength: 256 }), password: anyPassword }),
        detail: { summary: "Sign in" },
      },
    );

  const guarded = new Elysia({ tags: ["Identity"] })
    .use(guard(callers, config))
    .get("/session", ({ caller }) => publicUser(caller), { detail: { summary: "Who is signed in" } })
    .delete(
      "/session",
      async ({ request, caller, set }) => {
        if (caller.credential.startsWith("s")) {
          await queries.deleteSession(sql, caller.credential);
          announce(credentialEnded(caller.credential));
        }
        set.headers["set-cookie"] = sessionCookie(request, config, "");
        set.status = 204;
      },
      { detail: { summary: "Sign out: the session and its streams end; a bearer token stays" } },
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
        const made = await queries.createToken(sql, {
          userId: caller.id,
          name: body.name,
          secretHash: hashSecret(token),
        });
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

  return new Elysia().use(open).use(guarded);
}
