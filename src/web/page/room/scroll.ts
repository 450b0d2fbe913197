import { signal } from "@preact/signals";

/** Pixels from the end within which one is still said to be at the end. */
const AT_END = 48;
/** Pixels from the window's edge at which the next page is asked for. */
const NEAR_EDGE = 900;
/** A message is on screen when all but so many pixels of its height are. */
const TOLERANCE = 6;

export type Target = { seq: number; align: "middle" } | "line" | "end";

/** What the scroller asks of the room. */
export interface Bounds {
  /** Whether the newest message is among those that are there. */
  atEnd: boolean;
  /** Whether messages are on their way. */
  loading: boolean;
  /** Whether something lies over the room, so that nothing of it is seen. */
  covered: boolean;
  needOlder(): void;
  needNewer(): void;
  /** Told the last message that is on screen, in a visible tab, with nothing over it. */
  saw(seq: number): void;
}

/**
 * Keeps the reader's place while messages come, go and change height: at the end it follows the newest, elsewhere the
 * message at the top of the screen stays where it is. The browser's own anchoring is switched off (room.css): it does
 * nothing at the very top, and Safari has none.
 */
export class Scroll {
  /** Whether the end is in sight, so that what comes is seen at once. */
  readonly atEnd = signal(true);
  /** Whether the line of new messages is neither on screen nor was yet. */
  readonly lineUnseen = signal(false);
  #lineSeen: string | undefined;
  #scroller: HTMLElement | null = null;
  #bounds: Bounds | null = null;
  #observer: ResizeObserver | null = null;
  #anchor: { seq: string; top: number } | null = null;
  #target: Target | null = null;
  /** Where one was, in contents and a window of which heights, when `look` last looked. */
  #place = { top: 0, height: 0, window: 0 };

  /** Whether a message that comes now is seen at once. */
  get following(): boolean {
    return this.atEnd.peek() && this.#isSeen;
  }

  attach(scroller: HTMLElement, bounds: Bounds): void {
    this.#scroller = scroller;
    this.#bounds = bounds;
    this.#observer = new ResizeObserver(() => this.settle());
    this.#observer.observe(scroller);
    for (const child of scroller.children) this.#observer.observe(child);
    document.addEventListener("visibilitychange", this.look);
  }

  detach(): void {
    this.#observer?.disconnect();
    document.removeEventListener("visibilitychange", this.look);
    this.#scroller = null;
  }

  /** Where to go as soon as it is drawn. */
  goTo(target: Target): void {
    this.#target = target;
  }

  /** Puts the view right after something was drawn or changed its size. */
  settle(): void {
    const scroller = this.#scroller;
    if (!scroller?.querySelector("[data-seq]")) return;
    // Scrolled since, and the event has not come yet: that is the reader's own will.
    const { top, height, window } = this.#place;
    const isSame = scroller.scrollHeight === height && scroller.clientHeight === window;
    if (scroller.scrollTop !== top && isSame) this.look();
    if (this.#target && this.#reach(this.#target)) this.#target = null;
    else if (this.atEnd.peek() && !this.#target) scroller.scrollTop = scroller.scrollHeight;
    else this.#restore(scroller);
    this.look();
  }

  /** After every scrolling. In a window of another height the place is not the reader's choice: it is settled first. */
  readonly scrolled = (): void => {
    if (this.#scroller?.clientHeight === this.#place.window) this.look();
  };

  /** Takes note of what is on screen. */
  readonly look = (): void => {
    const scroller = this.#scroller;
    const bounds = this.#bounds;
    if (!scroller || !bounds) return;
    const { scrollTop, clientHeight, scrollHeight } = scroller;
    const below = scrollHeight - clientHeight - scrollTop;
    this.#place = { top: scrollTop, height: scrollHeight, window: clientHeight };
    this.atEnd.value = bounds.atEnd && below <= AT_END;
    const { top, bottom } = scroller.getBoundingClientRect();
    const messages = scroller.querySelectorAll<HTMLElement>("[data-seq]");
    const first = messages[endingBy(top, messages)];
    this.#anchor = first
      ? { seq: first.dataset.seq ?? "", top: first.getBoundingClientRect().top - top }
      : null;
    this.#lookForLine(scroller, top, bottom);
    if (scrollTop < NEAR_EDGE) bounds.needOlder();
    if (below < NEAR_EDGE) bounds.needNewer();
    if (!this.#isSeen || clientHeight === 0 || this.#target) return;
    const last = messages[endingBy(bottom + TOLERANCE, messages) - 1];
    if (last && last.getBoundingClientRect().bottom > top) bounds.saw(Number(last.dataset.seq));
  };

  get #isSeen(): boolean {
    return document.visibilityState === "visible" && this.#bounds?.covered === false;
  }

  #lookForLine(scroller: HTMLElement, top: number, bottom: number): void {
    const line = scroller.querySelector<HTMLElement>("[data-line]");
    const place = line?.getBoundingClientRect();
    if (line && place && place.bottom > top && place.top < bottom) this.#lineSeen = line.dataset.line;
    this.lineUnseen.value = scroller.dataset.line !== undefined && scroller.dataset.line !== this.#lineSeen;
  }

  #reach(target: Target): boolean {
    const scroller = this.#scroller as HTMLElement;
    if (target === "end") {
      if (!this.#bounds?.atEnd) return false;
      scroller.scrollTop = scroller.scrollHeight;
      return true;
    }
    const selector = target === "line" ? "[data-line]" : `[data-seq="${target.seq}"]`;
    const element = scroller.querySelector<HTMLElement>(selector);
    if (!element) return this.#bounds?.loading === false; // it is not there: one stays where one is
    const place = element.getBoundingClientRect();
    const share = target === "line" ? 0.2 : Math.max(0, 0.5 - place.height / scroller.clientHeight / 2);
    scroller.scrollTop += place.top - scroller.getBoundingClientRect().top - scroller.clientHeight * share;
    return true;
  }

  #restore(scroller: HTMLElement): void {
    const anchor = this.#anchor;
    const element = anchor && scroller.querySelector<HTMLElement>(`[data-seq="${anchor.seq}"]`);
    if (!element) return;
    const moved = element.getBoundingClientRect().top - scroller.getBoundingClientRect().top - anchor.top;
    if (moved !== 0) scroller.scrollTop += moved;
  }
}

/** How many elements, one below the other, end at a height or above; without looking at each of them. */
function endingBy(height: number, elements: ArrayLike<HTMLElement>): number {
  let [from, to] = [0, elements.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((elements[middle] as HTMLElement).getBoundingClientRect().bottom <= height) from = middle + 1;
    else to = middle;
  }
  return from;
}
