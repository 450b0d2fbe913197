import type { User } from "../../src/auth/queries.ts";
import { Client } from "./client.ts";
import type { Issuer } from "./issuer.ts";
import type { TestServer } from "./server.ts";

/** One person by each of the ways in which one may be known. */
export interface Known {
  user: User;
  cookie: Client;
  token: Client;
  jwt: Client;
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Makes somebody known by a JWT, whose subject and handle is `name`, by a session and by a token. */
export async function known(server: TestServer, issuer: Issuer, name: string): Promise<Known> {
  const jwt = await issuer.token("ES256", { sub: name, name, preferred_username: name });
  const cookie = await sessionByJwt(server, jwt);
  const { token } = await cookie.must("POST", "/tokens", { name: "a program" });
  return { user: cookie.user, cookie, token: cookie.with(bearer(token)), jwt: cookie.with(bearer(jwt)) };
}

/** Signs somebody in by a JWT, in a browser of their own. */
export async function sessionByJwt(server: TestServer, jwt: string): Promise<Client> {
  const { status, headers, body } = await Client.of(server.api, {} as User, {}).call("POST", "/session/jwt", {
    token: jwt,
  });
  if (status !== 200) throw new Error(`session by JWT: ${status} ${JSON.stringify(body)}`);
  return Client.of(server.api, body, { cookie: headers.getSetCookie()[0]?.split(";", 1)[0] ?? "" });
}

/** The JWT that somebody shows. */
export const jwtOf = ({ jwt }: Known): string => jwt.headers.authorization?.slice("Bearer ".length) ?? "";
