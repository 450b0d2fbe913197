import type { Ratio } from "./contest.ts";
import type { Databases } from "./databases.ts";
import type { Programs } from "./programs.ts";
import type { Tool } from "./tools.ts";

/** What a ratio is to reach: at least, or at most. */
export interface Target {
  least?: number;
  most?: number;
}

/** One line of the results. */
export interface Row {
  /** What was measured: `20 rooms, 32 connections: requests/s`. */
  what: string;
  /** Against what: `Fastify + pg`. */
  against: string;
  /** Of Foyer's figure to the other's. */
  ratio: Ratio;
  /** Whether a larger figure is the better one. */
  better: "more" | "less";
  target?: Target;
  /** Why it misses its target, if it does. */
  why?: string;
  /** What the picture calls the other, if the row is one of those that a newcomer is shown. */
  picture?: string;
}

export interface Table {
  title: string;
  /** What its rows in the picture have in common: `Room list: requests a second`. */
  picture?: string;
  /** How it was measured, and what a reader should know of it: sentences. */
  about: string;
  rows: Row[];
  /** What could not be measured, and why. */
  missing?: string[];
}

/** What a bench works with. */
export interface Context {
  /** Five minutes for all of them, instead of forty. */
  readonly quick: boolean;
  readonly databases: Databases;
  readonly programs: Programs;
  /**
   * Begins a stretch of the progress bar.
   * @param turns how many there will be
   * @returns to be called after each
   */
  progress(label: string, turns: number): () => void;
}

export interface Bench {
  /** As `--only` takes it. */
  name: string;
  /** What it is measured with, and beside, that has to be installed. */
  needs: Tool[];
  measure(context: Context): Promise<Table[]>;
}
