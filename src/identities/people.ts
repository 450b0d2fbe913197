import type { JwtVerifier } from "../auth/jwt.ts";
import type { FoundCaller } from "../auth/queries.ts";
import type { Database } from "../db/client.ts";
import { type Announce, roomChanged, userChanged } from "../live/hints.ts";
import { unauthenticated } from "../problem.ts";
import { renameUser } from "../users/queries.ts";
import { cleanName, handleOf, nextHandle } from "./names.ts";
import { createByIdentity, findByIdentity, noteName } from "./queries.ts";

/** Handles that are tried for a new person, the last ones by chance. */
const MOST_HANDLES = 20;

/**
 * People of another application, known by its JWTs: made when they are first seen, and renamed when the issuer tells
 * another name. Never the user of a password who has the same handle.
 * @returns who a token belongs to; it throws Problem 401 or 503
 */
export const knowByJwt =
  (verifier: JwtVerifier, db: Database, announce: Announce) =>
  async (token: string): Promise<FoundCaller> => {
    const { issuer, subject, until, issuedAt, ...claims } = await verifier.verify(token);
    const told = {
      name: cleanName(claims.name),
      at: new Date(Math.min(issuedAt, Math.floor(Date.now() / 1000) * 1000)),
    };
    const wish = handleOf(claims.preferredUsername, told.name);

    /** Made once, however many ask at the same moment. */
    async function find() {
      for (let attempt = 1; attempt <= MOST_HANDLES; attempt++) {
        const known = await findByIdentity(db.sql, { issuer, subject });
        if (known === "deactivated") throw unauthenticated();
        if (known) return known;
        const handle = nextHandle(wish, attempt);
        const name = told.name ?? cleanName(claims.preferredUsername) ?? handle;
        const made = await createByIdentity(db.sql, { issuer, subject }, { handle, name }, told);
        if (typeof made === "object") return { ...made, toldName: told.name, toldAt: told.at };
      }
      throw new Error("no handle is free");
    }

    /** A rename is a write in every room: only what is news makes one. */
    async function follow(credential: string, userId: number, name: string): Promise<boolean> {
      const renamed = await db.transaction(async (tx) =>
        (await noteName(tx, credential, { ...told, name })) ? renameUser(tx, userId, name) : null,
      );
      if (renamed) announce(userChanged(userId), ...renamed.rooms.map(roomChanged));
      return renamed !== null;
    }

    const { toldName, toldAt, ...caller } = await find();
    const { name } = told;
    const isNews = name !== null && name !== toldName && toldAt <= told.at;
    if (isNews && (await follow(caller.credential, caller.id, name))) caller.name = name;
    return { ...caller, until, msLeft: until - Date.now() };
  };
