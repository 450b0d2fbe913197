import { isUnavailable } from "./db/errors.ts";
import { faultOf, type Log } from "./log.ts";
import { Problem, unavailable } from "./problem.ts";

/**
 * What a client is told of an error; what it is not told goes into the log.
 * @param where what the log says of the request
 */
export function problemOf(error: unknown, where: { method?: string; path: string }, log: Log): Problem {
  if (error instanceof Problem) return error;
  const { stack, ...fault } = faultOf(error);
  const line = { ...where, ...fault };
  if (isUnavailable(error)) {
    log.warn(line, "the database did not answer");
    return unavailable();
  }
  log.error({ ...line, stack }, "request failed");
  return new Problem(500, "internal", "Something went wrong here. It has been logged.");
}
