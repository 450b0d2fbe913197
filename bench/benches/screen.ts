import type { Bench, Context, Row } from "../bench.ts";
import { BARE, type Broadcaster, Broadcasters, NCHAN, publishAtRate, Undelivered } from "../broadcasters.ts";
import { interleave, percentile, ratio, type Sample } from "../contest.ts";

const STREAMS = 1_000;
const RATES = [10, 100, 1_000];
/** Messages by rate. */
const MESSAGES = { full: [50, 400, 1_000], quick: [20, 150, 1_000] };
const ROUNDS = { full: 4, quick: 1 };
/** Milliseconds after which the last message is to be with everybody, or the contestant does not keep up. */
const PATIENCE_MS = 2_000;

/** Stands for the latency where not all came in time. */
const NEVER_MS = 60_000;
const FIGURES = { p50: 0.5, p99: 0.99 };

const WHY_COMMIT =
  "Between the two Foyer commits and reads what it tells: a bare stream knows no disk, and a message is shown by Foyer when it is sure to stay. What a send takes of the two cores meanwhile, the streams and the clients wait for.";

function noneIfUndelivered(error: unknown): number[] {
  if (error instanceof Undelivered) return [];
  throw error;
}

/** From the POST until the last of all streams has the message. */
export const screen: Bench = {
  name: "screen",
  needs: ["nchan"],
  async measure(context: Context) {
    const messages = context.quick ? MESSAGES.quick : MESSAGES.full;
    const rounds = context.quick ? ROUNDS.quick : ROUNDS.full;
    const parts = await Broadcasters.start(context, STREAMS);
    const turn = context.progress("screen", parts.all.length * rounds);
    /** By contestant and rate, in how many rounds it did not keep up. */
    const late = new Map<string, number>();
    const isLate = (name: string, rate: number) => (late.get(`${name} ${rate}`) ?? 0) > rounds / 2;

    async function run(broadcaster: Broadcaster): Promise<Sample> {
      const { name } = broadcaster;
      const sample: Sample = {};
      await parts.open(broadcaster, STREAMS);
      let keepsUp = true;
      for (const [i, rate] of RATES.entries()) {
        const latencies: number[] =
          keepsUp && !isLate(name, rate)
            ? await parts
                .tell(broadcaster, messages[i] as number, publishAtRate(rate), PATIENCE_MS)
                .then((told) => told.latencies)
                .catch(noneIfUndelivered)
            : [];
        keepsUp = (latencies.at(-1) ?? NEVER_MS) <= PATIENCE_MS;
        if (!keepsUp) late.set(`${name} ${rate}`, (late.get(`${name} ${rate}`) ?? 0) + 1);
        latencies.sort((a, b) => a - b);
        for (const [figure, share] of Object.entries(FIGURES)) {
          sample[`${figure} at ${rate}`] = latencies.length > 0 ? percentile(latencies, share) : NEVER_MS;
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
      const names = parts.all.map(({ name }) => name);
      const tooLate = names.filter((name) => isLate(name, rate));
      const inTime = names.filter((name) => !isLate(name, rate));
      const many = rate.toLocaleString("en");
      if (tooLate.length > 0) {
        missing.push(
          `${many} sends/s against ${tooLate.join(" and ")}: on this machine, which the clients share, it is not kept up with (in most rounds the last message was not with everybody ${PATIENCE_MS / 1_000} s after it was sent).${inTime.length > 0 ? ` ${inTime.join(" and ")} kept up.` : ""}`,
        );
      }
      for (const peer of [BARE, NCHAN].filter((peer) => inTime.includes("Foyer") && inTime.includes(peer))) {
        for (const figure of Object.keys(FIGURES)) {
          rows.push({
            what: `${many} sends/s: ${figure}`,
            against: peer,
            ratio: ratio(samples, "Foyer", peer, `${figure} at ${rate}`),
            better: "less",
            ...(peer === BARE && figure === "p99" && { target: { most: 1.5 }, why: WHY_COMMIT }),
          });
        }
      }
    }
    return [
      {
        title: "From send to screen",
        about: `From the start of the POST until the last of ${STREAMS.toLocaleString("en")} streams has the message, at fixed rates whether or not the sends before have been answered; the clients share the machine with the server. Foyer has then committed the message to disk; the others keep nothing on disk, so at low rates the ratio is mostly that of a commit to none; at high rates it tells several messages at once, where the others fall behind. Each send to so many streams is a thousand deliveries, and at 1,000 a second they are a million.`,
        rows,
        missing,
      },
    ];
  },
};
