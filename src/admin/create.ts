import { hashPassword } from "../auth/passwords.ts";
import { createUser } from "../auth/queries.ts";
import { newPassword } from "../auth/secrets.ts";
import { isHandle } from "../auth/words.ts";
import type { Sql } from "../db/client.ts";
import { type Actor, record } from "./audit.ts";
import { changeAccount } from "./queries.ts";

const COMMAND_LINE: Actor = { userId: null, address: null };

/** What keeps a person from being made an administrator; the message is for who asked. */
export class CreateRefused extends Error {
  override name = "CreateRefused";
}

/** `password`: of an account that is new, or null. */
export type Created = { handle: string; password: string | null; was: "nobody" | "user" | "administrator" };

/**
 * Makes an administrator: of who has this handle, or of somebody new.
 * @throws CreateRefused
 */
export async function createAdministrator(tx: Sql, handle: string): Promise<Created> {
  if (!isHandle(handle)) {
    throw new CreateRefused(`${handle}: a handle is 2 to 32 of a-z, 0-9, dot, underscore and dash`);
  }
  const [known] = await tx<{ id: number; administrator: boolean; active: boolean }[]>`
    select id, administrator, deactivated_at is null as active from users where handle = ${handle}`;
  if (known) {
    if (!known.active) {
      throw new CreateRefused(`${handle} is deactivated: an administrator has to reactivate them first`);
    }
    if (known.administrator) return { handle, password: null, was: "administrator" };
    await changeAccount(tx, COMMAND_LINE, known.id, { administrator: true });
    return { handle, password: null, was: "user" };
  }
  const password = newPassword();
  const user = await createUser(tx, { handle, name: handle, passwordHash: await hashPassword(password) });
  await record(tx, COMMAND_LINE, "user-made", { kind: "user", id: user.id });
  await changeAccount(tx, COMMAND_LINE, user.id, { administrator: true });
  return { handle, password, was: "nobody" };
}
