import { Elysia, t } from "elysia";
import type { Config } from "../config.ts";
import type { Sql } from "../db/client.ts";
import { type Announce, credentialEnded } from "../live/hints.ts";
import { Problem } from "../problem.ts";
import { pathId, text } from "../schema.ts";
import { type Callers, guard, sessionCookie } from "./guard.ts";
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
export const personName = text({
  minLength: 1,
  maxLength: 80,
  pattern: "\\S",
  description: "takes 1 to 80 characters, not only spaces",
});

const badCredentials = (detail: string) => new Problem(401, "bad-credentials", detail);

/** Sign-up, sign-in, sign-out, password and bearer tokens. */
export function authRoutes({
  sql,
  callers,
  config,
  announce,
}: {
  sql: Sql;
  callers: Callers;
  config: Config;
  announce: Announce;
}) {
  /** Starts a session; its cookie goes into the response. */
  const signIn = async (request: Request, userId: number) => {
    const secret = newSessionSecret();
    await queries.createSession(sql, userId, hashSecret(secret));
    return { "set-cookie": sessionCookie(request, config, secret), "cache-control": "no-store" };
  };
  const publicUser = ({ id, handle, name }: queries.User): queries.User => ({ id, handle, name });

  const open = new Elysia({ tags: ["Identity"] })
    .post(
      "/users",
      async ({ request, body, set }) => {
        const user = await queries.createUser(sql, {
          handle: body.handle,
          name: body.name.trim(),
          passwordHash: await hashPassword(body.password),
        });
        Object.assign(set.headers, await signIn(request, user.id));
        set.status = 201;
        return user;
      },
      { body: t.Object({ handle, name: personName, password }), detail: { summary: "Sign up, and sign in" } },
    )
    .post(
      "/session",
      async ({ request, body, set }) => {
        const user = await queries.findByHandle(sql, body.handle);
        if (!(await verifyPassword(body.password, user?.password_hash ?? null)) || !user) {
          throw badCredentials("The handle or the password is wrong.");
        }
        Object.assign(set.headers, await signIn(request, user.id));
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
      async ({ caller, body, set }) => {
        const user = await queries.findByHandle(sql, caller.handle);
        const oldHash = user?.password_hash ?? null;
        if (oldHash === null || !(await verifyPassword(body.current, oldHash))) {
          throw badCredentials("The current password is wrong.");
        }
        const ended = await queries.changePassword(sql, {
          userId: caller.id,
          oldHash,
          newHash: await hashPassword(body.next),
          credential: caller.credential,
        });
        if (!ended) throw badCredentials("The current password is wrong.");
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
