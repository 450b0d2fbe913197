const BAR = 24; // characters
const REDRAW_MS = 100;
/** Where nobody watches (a file, a container's log): a line from time to time. */
const LINE_MS = 5_000;

/** Where progress is shown; standard error, or a test's. */
export interface Screen {
  isTTY?: boolean;
  write(text: string): unknown;
}

const grouped = new Intl.NumberFormat("en");

/** A count as people read it: `20,000`. */
export const count = (number: number): string => grouped.format(number);

/** Seconds as people say them: `8 s`, `3 min 20 s`. */
export const duration = (seconds: number): string => {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
};

/** A bar where a terminal is, lines elsewhere: how far, how fast, how long still. */
export class Progress {
  #started = performance.now();
  #shown = Number.NEGATIVE_INFINITY;

  constructor(
    readonly label: string,
    readonly total: number,
    readonly screen: Screen = process.stderr,
  ) {
    if (screen.isTTY) this.to(0);
  }

  /** @param done how many of `total` are done */
  to(done: number): void {
    const now = performance.now();
    const last = done >= this.total;
    if (!last && now - this.#shown < (this.screen.isTTY ? REDRAW_MS : LINE_MS)) return;
    this.#shown = now;
    const seconds = (now - this.#started) / 1000;
    const share = this.total === 0 ? 1 : done / this.total;
    const bar = "#".repeat(Math.round(share * BAR)).padEnd(BAR, "-");
    const parts = [`${Math.floor(share * 100)} %`, `${count(done)} of ${count(this.total)}`];
    if (done > 0) parts.push(`${count(Math.round(done / seconds))}/s`);
    if (last) parts.push(duration(seconds));
    else if (done > 0) parts.push(`${duration((seconds / done) * (this.total - done))} left`);
    const line = `${this.label} [${bar}] ${parts.join("  ")}`;
    this.screen.write(this.screen.isTTY ? `\r${line}\x1b[K${last ? "\n" : ""}` : `${line}\n`);
  }

  /** Leaves the line as it is: the work was broken off. */
  stop(): void {
    if (this.screen.isTTY) this.screen.write("\n");
  }
}
