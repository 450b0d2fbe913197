import { join } from "node:path";
import { run } from "./programs.ts";

const REPORT = join(import.meta.dir, "load/report.lua");
/** Seconds that an answer may take: some peers' take many. */
const TIMEOUT = 120;

/** What a load measured. Latencies are milliseconds. */
export interface Load {
  [figure: string]: number;
  requests: number;
  perSecond: number;
  p50: number;
  p99: number;
}

export interface LoadOptions {
  connections: number;
  seconds: number;
  headers?: Record<string, string>;
  /** A script of wrk's that makes the requests, with its arguments; it must run the file in WRK_REPORT. */
  script?: string;
  args?: string[];
}

/**
 * Asks again and again over so many connections, each as soon as it is answered: `wrk`, in one thread.
 * @throws Error where anything but a good answer came, or none
 */
export async function wrk(url: string, options: LoadOptions): Promise<Load> {
  const { connections, seconds, headers = {}, script = REPORT, args = [] } = options;
  const output = await run(
    [
      "wrk",
      ...["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", `${TIMEOUT}s`, "-s", script],
      ...Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
      url,
      ...(args.length > 0 ? ["--", ...args] : []),
    ],
    { env: { WRK_REPORT: REPORT } },
  );
  const line = output.trim().split("\n").at(-1) ?? "";
  const { refused, failed, requests, seconds: took, p50, p99 } = JSON.parse(line);
  if (refused + failed > 0)
    throw new Error(`of ${requests} requests ${refused} were refused and ${failed} failed`);
  if (requests === 0) throw new Error(`no answer within ${seconds} s`);
  return { requests, perSecond: requests / took, p50, p99 };
}
