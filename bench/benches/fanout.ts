import type { Bench, Context, Row } from "../bench.ts";
import { BARE, Broadcasters, NCHAN, publishAtRate, publishFast, SENDERS } from "../broadcasters.ts";
import { interleave, ratio, type Sample } from "../contest.ts";

/**
 * Messages that are sent as fast as they are acknowledged: below 500, for whoever is as far behind is begun anew with the
 * newest, by Foyer as by Nchan. And those that are sent one by one, at a rate that everybody keeps up with.
 */
const CROWDS = {
  full: [
    { streams: 1_000, messages: 300, paced: 80, perSecond: 20 },
    { streams: 5_000, messages: 100, paced: 20, perSecond: 5 },
  ],
  quick: [{ streams: 1_000, messages: 200, paced: 60, perSecond: 20 }],
};
const ROUNDS = { full: 4, quick: 1 };

const WHY_SEND =
  "Each message is a send of its own here: who sends it and may, the commit, the query that reads it for the streams, which together cost as much CPU as writing to a few hundred of them. The more streams there are, the less it weighs.";

/** One room and all who have it open: how many messages a second reach them, and what each costs. */
export const fanout: Bench = {
  name: "fanout",
  needs: ["nchan"],
  async measure(context: Context) {
    const crowds = context.quick ? CROWDS.quick : CROWDS.full;
    const rounds = context.quick ? ROUNDS.quick : ROUNDS.full;
    const most = Math.max(...crowds.map(({ streams }) => streams));
    const parts = await Broadcasters.start(context, most);
    const turn = context.progress("fanout", crowds.length * parts.all.length * rounds);
    const rows: Row[] = [];
    for (const { streams, messages, paced, perSecond } of crowds) {
      const contestants = parts.all.map((broadcaster) => ({
        name: broadcaster.name,
        async run(): Promise<Sample> {
          await parts.open(broadcaster, streams);
          const fast = await parts.tell(broadcaster, messages, publishFast);
          const slow = await parts.tell(broadcaster, paced, publishAtRate(perSecond));
          await parts.listeners.close();
          return {
            perSecond: messages / (fast.last - fast.began),
            perCpu: messages / fast.cpu,
            perCpuOfAll: messages / (fast.cpu + (broadcaster.name === "Foyer" ? fast.postgres : 0)),
            pacedPerCpu: paced / slow.cpu,
          };
        },
      }));
      const samples = await interleave(contestants, rounds, turn);
      const against = (peer: string, what: string, figure: string, rest: Partial<Row> = {}): Row => ({
        what: `${streamsOf(streams)}${what}`,
        against: peer,
        ratio: ratio(samples, "Foyer", peer, figure),
        better: "more",
        ...rest,
      });
      const shown = (than: string) => (streams === 1_000 ? { picture: than } : {});
      rows.push(
        against(BARE, ": messages/s delivered", "perSecond", { target: { least: 0.8 } }),
        against(NCHAN, ": messages/s delivered", "perSecond"),
        against(BARE, ": messages per second of CPU", "perCpu", {
          target: { least: 0.8 },
          ...shown("bare Bun streams"),
        }),
        against(NCHAN, ": messages per second of CPU", "perCpu", {
          target: { least: 1 },
          ...shown("Nchan (nginx)"),
        }),
        against(BARE, ": the same, Postgres counted with Foyer", "perCpuOfAll"),
        against(NCHAN, ": the same, Postgres counted with Foyer", "perCpuOfAll"),
      );
      const slowly = `, ${perSecond} messages/s: messages per second of CPU`;
      rows.push(
        against(BARE, slowly, "pacedPerCpu", { target: { least: 0.8 }, why: WHY_SEND }),
        against(NCHAN, slowly, "pacedPerCpu", { target: { least: 1 }, why: WHY_SEND }),
      );
    }
    await parts.stop();
    return [
      {
        title: "Fan-out: one room, told to all who have it open",
        picture: "Messages told to 1,000 open streams: for each second of CPU",
        about: `${SENDERS} senders, each sending as soon as the last one was acknowledged, until so many messages are with every stream; each stream was checked to get each message once. A message has the same bytes for all three. Foyer, as it does, tells those that were committed meanwhile as one event; the others have one event each. So the last rows are about messages that come one by one, which no one can put together. CPU is that of the server: Foyer's with everything that a send brings, without Postgres unless it says so; Nchan's one worker; ${BARE} knows no rooms, people or rights and keeps nothing.`,
        rows,
      },
    ];
  },
};

const streamsOf = (count: number) => `${count.toLocaleString("en")} streams`;
