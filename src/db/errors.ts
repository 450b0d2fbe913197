/** The database lives, and has more to do than it does within the deadline. */
export class BusyDatabase extends Error {
  override name = "BusyDatabase";
}

/** A connection said nothing at all within the deadline. */
export class SilentDatabase extends Error {
  override name = "SilentDatabase";
}

/** Thrown in a transaction that must begin anew: it came too late to take its locks in the order in which all take them. */
export class StartOver extends Error {
  override name = "StartOver";
}

export const DEADLOCK = "40P01";
const UNIQUE_VIOLATION = "23505";

/** SQLSTATE, or the code of a system error; "" if there is none. */
export const codeOf = (error: unknown): string =>
  String((error as { code?: unknown } | null | undefined)?.code ?? "");

/** Whether a statement failed because a row with the same value of `constraint` (an index's name) is there. */
export const isDuplicate = (error: unknown, constraint: string): boolean =>
  codeOf(error) === UNIQUE_VIOLATION &&
  (error as { constraint_name?: string }).constraint_name === constraint;

// Classes of SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html): 08 connection, 40 rolled back,
// 53 out of resources, 55P03 lock not had, 57 told to stop (57014: the deadline), 25006 read-only, 25P03 idle too long.
const UNAVAILABLE = /^(08|40|53|57|58)...$|^(55P03|25006|25P03)$/;
const UNREACHABLE =
  /^(CONNECT|CONNECTION_|ECONN|ENOENT$|EPIPE$|ENOTFOUND$|EAI_AGAIN$|EHOST|ENET|ETIMEDOUT$|ERR_SOCKET)/;

/** Whether an error says that the database is away, going, overloaded or too slow: worth another try later. */
export const isUnavailable = (error: unknown): boolean =>
  error instanceof SilentDatabase ||
  error instanceof BusyDatabase ||
  UNAVAILABLE.test(codeOf(error)) ||
  UNREACHABLE.test(codeOf(error));

// The connection is gone, by the database's word (57P01 to 57P03: it stops, it crashed, it starts) or without one.
const BROKEN = /^(57P0[123]|CONNECT_TIMEOUT|CONNECTION_.*|ECONNRESET|EPIPE|ETIMEDOUT)$/;

/** Whether an error says that an established connection broke. */
export const isBroken = (error: unknown): boolean =>
  error instanceof SilentDatabase || BROKEN.test(codeOf(error));
