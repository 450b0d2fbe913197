import pino from "pino";
import pretty from "pino-pretty";
import type { LogLevel } from "./config.ts";

export type Log = pino.Logger;

/**
 * The log: one line an event, JSON on standard output, or readable where that is a terminal.
 * What is logged is chosen line by line: never a secret, a header, a query string or a message's text.
 */
export function createLog(level: LogLevel): Log {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  // Not a pino transport: that is a worker thread, and loses what is written just before the process ends.
  return process.stdout.isTTY
    ? pino(options, pretty({ sync: true, translateTime: "SYS:HH:MM:ss.l" }))
    : pino(options);
}
