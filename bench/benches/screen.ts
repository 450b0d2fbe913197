import type { Bench, Context, Row } from "../bench.ts";
import { BARE, type Broadcaster, Broadcasters, NCHAN, publishAtRate } from "../broadcasters.ts";
import { interleave, percentile, ratio, type Sample } from "../contest.ts";

const STREAMS = 1_000;
const RATES = [10, 100, 1_000];
/** Messages by rate. */
const MESSAGES = { full: [50, 400, 2_000], quick: [20, 200, 1_000] };
const ROUNDS = { full: 4, quick: 1 };
/** Milliseconds after which whoever has not delivered everything does not keep up. */
const PATIENCE_MS = 3_000;

const WHY_COMMIT =
  "Between the two Foyer commits: a bare stream knows no disk, and a message is shown by Foyer when it is sure to stay.";

/** From the POST until the last of all streams has the message. */
export const screen: Bench = {
  name: "screen",
  async measure(context: Context) {
    const messages = context.quick ? MESSAGES.quick : MESSAGES.full;
    const rounds = context.quick ? ROUNDS.quick : ROUNDS.full;
    const parts = await Broadcasters.start(context, STREAMS);
    const turn = context.progress("screen", parts.all.length * rounds);
    const behind = new Map<number, Set<string>>(RATES.map((rate) => [rate, new Set()]));

    async function run(broadcaster: Broadcaster): Promise<Sample> {
      const sample: Sample = {};
      await parts.open(broadcaster, STREAMS);
      for (const [i, rate] of RATES.entries()) {
        try {
          const { latencies } = await parts.tell(
            broadcaster,
            messages[i] as number,
            publishAtRate(rate),
            PATIENCE_MS,
          );
          latencies.sort((a, b) => a - b);
          sample[`p50 at ${rate}`] = percentile(latencies, 0.5);
          sample[`p99 at ${rate}`] = percentile(latencies, 0.99);
        } catch {
          behind.get(rate)?.add(broadcaster.name);
          break;
        }
      }
      await parts.listeners.close();
      return sample;
    }

    const contestants = parts.all.map((broadcaster) => ({
      name: broadcaster.name,
      run: () => run(broadcaster),
    }));
    const samples = await interleave(contestants, rounds, turn);
    await parts.stop();
    const rows: Row[] = [];
    const missing: string[] = [];
    for (const rate of RATES) {
      const late = [...(behind.get(rate) ?? [])];
      if (late.length > 0) {
        missing.push(
          `${rate.toLocaleString("en")} sends/s to ${STREAMS.toLocaleString("en")} streams: ${late.join(" and ")} ${late.length === 1 ? "does" : "do"} not keep up on this machine, which the clients share (not all delivered ${PATIENCE_MS / 1_000} s after the last send).`,
        );
      }
      for (const peer of [BARE, NCHAN].filter((peer) => !late.includes("Foyer") && !late.includes(peer))) {
        for (const figure of ["p50", "p99"]) {
          rows.push({
            what: `${rate.toLocaleString("en")} sends/s: ${figure}`,
            against: peer,
            ratio: ratio(samples, "Foyer", peer, `${figure} at ${rate}`),
            ...(peer === BARE && figure === "p99" && { target: { most: 1.5 }, why: WHY_COMMIT }),
          });
        }
      }
    }
    return [
      {
        title: "From send to screen",
        about: `From the start of the POST until the last of ${STREAMS.toLocaleString("en")} streams has the message, at fixed rates whether or not the sends before have been answered; the clients share the machine with the server. Foyer has then committed the message to disk; the others keep nothing on disk, so at low rates the ratio is mostly that of a commit to none.`,
        rows,
        missing,
      },
    ];
  },
};
