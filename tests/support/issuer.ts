import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload } from "jose";

const OPTIONS = { extractable: true };

/** Another application that has its own users: it signs JWTs, and publishes its keys over HTTP on loopback. */
export class Issuer {
  readonly issuer = "https://app.example.com";
  readonly audience = "foyer";
  /** How often the keys were asked for. */
  fetches = 0;
  /** What the keys' address answers; by itself, the keys. */
  answer: (request: Request) => Response | Promise<Response> = () => Response.json({ keys: this.published });
  published: JWK[] = [];
  readonly #keys = new Map<string, { alg: string; privateKey: CryptoKey; publicKey: CryptoKey }>();
  readonly #server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      this.fetches++;
      return this.answer(request);
    },
  });

  /** An issuer with one published key for each algorithm, by that name. */
  static async start(...algorithms: string[]): Promise<Issuer> {
    const issuer = new Issuer();
    for (const alg of algorithms) issuer.publish(await issuer.newKey(alg, alg));
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}/jwks.json`;
  }

  /** The settings of a server that believes this issuer. */
  get settings() {
    return { AUTH_ISSUER: this.issuer, AUTH_AUDIENCE: this.audience, AUTH_JWKS_URL: this.url };
  }

  /** Makes a key to sign by. @returns its public part, not published yet */
  async newKey(kid: string, alg: string): Promise<JWK> {
    const pair = await generateKeyPair(alg, OPTIONS);
    this.#keys.set(kid, { alg, ...pair });
    return { ...(await exportJWK(pair.publicKey)), kid, alg, use: "sig" };
  }

  publish(...keys: JWK[]): void {
    this.published.push(...keys);
  }

  /** A token by a key of ours. @param claims instead of, and besides, those of a good token; undefined takes one out */
  token(
    kid: string,
    claims: Record<string, unknown> = {},
    header: Record<string, unknown> = {},
  ): Promise<string> {
    return this.sign(kid, JSON.stringify(this.claims(claims)), header);
  }

  /** Signs whatever it is by a key of ours. */
  sign(kid: string, payload: string | Uint8Array, header: Record<string, unknown> = {}): Promise<string> {
    const key = this.#keys.get(kid);
    if (!key) throw new Error(`no key ${kid}`);
    return new CompactSign(Buffer.from(payload as string))
      .setProtectedHeader({ alg: key.alg, kid, ...header } as { alg: string })
      .sign(key.privateKey);
  }

  /** The claims of a good token. */
  claims(claims: Record<string, unknown> = {}): JWTPayload {
    const now = Math.floor(Date.now() / 1000);
    const good = { iss: this.issuer, aud: this.audience, sub: "ada", name: "Ada", iat: now, exp: now + 300 };
    return JSON.parse(JSON.stringify({ ...good, ...claims }));
  }

  async close(): Promise<void> {
    await this.#server.stop(true);
  }
}
