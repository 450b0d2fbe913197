import type { Bench } from "../bench.ts";
export const backlog: Bench = { name: "backlog", measure: async () => [] };
