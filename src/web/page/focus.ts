import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

/** Gives the focus back to where it was before a component came, when the component goes and the focus with it. */
export function useFocusBack(): void {
  useLayoutEffect(() => {
    const before = document.activeElement;
    return () => {
      // Afterwards: until it is gone, a dialog or panel keeps what it covers from being focused.
      setTimeout(() => {
        const lost = document.activeElement === null || document.activeElement === document.body;
        if (lost && before instanceof HTMLElement) before.focus();
      });
    };
  }, []);
}

/**
 * When an element goes that has the keyboard's focus, the focus goes on to another one, and not to nowhere. What was
 * pressed with a pointer has a focus that nobody sees: that may go.
 */
export function useFocusOn(
  element: RefObject<HTMLElement | null>,
  next: (gone: HTMLElement) => HTMLElement | null,
): void {
  useLayoutEffect(() => {
    const going = element.current;
    const heir = going && next(going);
    return () => {
      if (going?.matches(":focus-visible, :has(:focus-visible)")) setTimeout(() => heir?.focus());
    };
  }, []);
}

/** The box to write in. */
export const composer = () => document.querySelector<HTMLTextAreaElement>(".composer textarea");

/** The message around one of its buttons. */
export const messageAround = (element: HTMLElement): HTMLElement | null => element.closest("[data-seq]");
