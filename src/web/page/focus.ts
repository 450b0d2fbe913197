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
