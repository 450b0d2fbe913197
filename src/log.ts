import pino from "pino";
import pretty from "pino-pretty";
import type { LogLevel } from "./config.ts";

export type Log = pino.Logger;

/**
 * The log: one line an event, JSON on standard output, or readable where that is a terminal.
 * What is logged is chosen line by line: never a secret, a header, a query string or a message's text.
 * @param destination where the lines go instead
 */
export function createLog(level: LogLevel, destination?: pino.DestinationStream): Log {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (destination) return pino(options, destination);
  // Not a pino transport: that is a worker thread, and loses what is written just before the process ends.
  return process.stdout.isTTY
    ? pino(options, pretty({ sync: true, translateTime: "SYS:HH:MM:ss.l" }))
    : pino(options);
}

/** A request's path as a log line has it: without the query, which holds what people search for. */
export const pathOf = ({ url }: Request): string => URL.parse(url)?.pathname ?? "?";

const WITHHELD = "(withheld: it quotes what was sent)";

/** What the log is told of an error. Postgres's data exceptions (SQLSTATE class 22) quote the value in question. */
export function faultOf(error: unknown) {
  const { name, message, stack, code } = Object(error) as Error & { code?: unknown };
  const withheld = /^22...$/.test(String(code)) && message !== "";
  return {
    error: name,
    code,
    message: withheld ? WITHHELD : message,
    stack: withheld ? stack?.replaceAll(message, WITHHELD) : stack,
  };
}
