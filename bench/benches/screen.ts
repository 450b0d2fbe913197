import type { Bench, Context, Row } from "../bench.ts";
import { BARE, type Broadcaster, Broadcasters, NCHAN, publishAtRate } from "../broadcasters.ts";
import { interleave, percentile, ratio, type Sample } from "../contest.ts";

const STREAMS = 1_000;
const RATES = [10, 100, 1_000];
/** Messages by rate. */
const MESSAGES = { full: [50, 400, 1_000], quick: [20, 150, 1_000] };
const ROUNDS = { full: 4, quick: 1 };
/** Milliseconds after which the last message is to be with everybody, or the contestant does not keep up. */
const PATIENCE_MS = 2_000;

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
    /** By contestant, the lowest rate that it did not keep up with. */
    const limits = new Map<string, number>();
    const isLate = (name: string, rate: number) => rate >= (limits.get(name) ?? Number.POSITIVE_INFINITY);

    async function run(broadcaster: Broadcaster): Promise<Sample> {
      const sample: Sample = {};
      await parts.open(broadcaster, STREAMS);
      for (const [i, rate] of RATES.entries()) {
        if (isLate(broadcaster.name, rate)) break;
        const latencies = await parts
          .tell(broadcaster, messages[i] as number, publishAtRate(rate), PATIENCE_MS)
          .then((told) => told.latencies)
          .catch(() => []); // not all came
        if ((latencies.at(-1) ?? Number.POSITIVE_INFINITY) > PATIENCE_MS) {
          limits.set(broadcaster.name, rate);
          break;
        }
        latencies.sort((a, b) => a - b);
        sample[`p50 at ${rate}`] = percentile(latencies, 0.5);
        sample[`p99 at ${rate}`] = percentile(latencies, 0.99);
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
      const late = parts.all.map(({ name }) => name).filter((name) => isLate(name, rate));
      const inTime = parts.all.map(({ name }) => name).filter((name) => !isLate(name, rate));
      if (late.length > 0) {
        missing.push(
          `${rate.toLocaleString("en")} sends/s to ${STREAMS.toLocaleString("en")} streams against ${late.join(" and ")}: not kept up with on this machine, which the clients share (the last message was to be with everybody ${PATIENCE_MS / 1_000} s after it was sent, and was not). ${inTime.length > 0 ? `Kept up with by ${inTime.join(" and ")}.` : ""}`,
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
