import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Hub } from "../live/hub.ts";

/** Seconds: from an answer out of memory to what STATEMENT_TIMEOUT lets through. */
const DURATIONS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const BATCHES = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000];

/** Labels stay few, whatever clients send: a method that is not among these, or a path without a route, is `other`. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const SEND = "/chat/api/rooms/:id/messages";

/**
 * What this server counts, for Prometheus. Not prom-client's default metrics: most of those are of Node's inside, and they
 * hold timers and observers of their own; the three that tell of the process are here.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Histogram<"method" | "route" | "status">;
  readonly #batches: Histogram;
  readonly #sends: Counter;

  constructor() {
    const registers = [this.#registry];
    this.#requests = new Histogram({
      name: "foyer_http_request_duration_seconds",
      help: "Time until the answer began, by the route's pattern; of a stream: until it was open.",
      labelNames: ["method", "route", "status"],
      buckets: DURATIONS,
      registers,
    });
    this.#sends = new Counter({ name: "foyer_sends_total", help: "Messages sent.", registers });
    this.#batches = new Histogram({
      name: "foyer_live_batch_pairs",
      help: "Pairs of a person and a room that one live query asks for.",
      buckets: BATCHES,
      registers,
    });
    new Gauge({
      name: "process_resident_memory_bytes",
      help: "Resident memory size in bytes.",
      registers,
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
    new Gauge({
      name: "process_start_time_seconds",
      help: "Start time of the process since unix epoch in seconds.",
      registers,
    }).set(Math.round(performance.timeOrigin / 1000));
    count(registers, "process_cpu_seconds_total", "CPU time in seconds.", () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
  }

  /** What the hub counts itself is asked for when it is scraped. */
  watch(hub: Hub): void {
    const registers = [this.#registry];
    new Gauge({
      name: "foyer_streams",
      help: "Streams and sockets open now.",
      labelNames: ["kind"],
      registers,
      collect() {
        for (const [kind, open] of Object.entries(hub.open)) this.set({ kind }, open);
      },
    });
    count(registers, "foyer_stream_events_total", "Events sent.", () => hub.state.events);
    count(registers, "foyer_live_queries_total", "Live queries.", () => hub.state.queries);
  }

  /** An answer. @param route its pattern, with `:id`; undefined: it had none */
  answered(method: string, route: string | undefined, status: number, seconds: number): void {
    const known = METHODS.has(method) ? method : "other";
    this.#requests.observe({ method: known, route: route || "other", status }, seconds);
    if (status === 201 && method === "POST" && route === SEND) this.#sends.inc(); // repeated, it is 200
  }

  /** A live query. @param pairs how much it asks for */
  asked(pairs: number): void {
    this.#batches.observe(pairs);
  }

  async response(): Promise<Response> {
    return new Response(await this.#registry.metrics(), {
      headers: { "content-type": this.#registry.contentType },
    });
  }
}

/** A counter of what is counted elsewhere. */
function count(registers: Registry[], name: string, help: string, now: () => number): void {
  new Counter({
    name,
    help,
    registers,
    collect() {
      this.reset();
      this.inc(now());
    },
  });
}
