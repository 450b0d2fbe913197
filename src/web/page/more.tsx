import type { RefObject } from "preact";
import type { Found } from "./found.ts";

/**
 * Asks for the next page, while there is one; the focus then goes to the first of what came.
 * @param list whose children are the rows
 */
export function More<Row, Place>(props: {
  found: Found<Row, Place>;
  list: RefObject<HTMLElement | null>;
  label: string;
}) {
  const { found } = props;
  if (found.next.value === null) return null;
  const more = async () => {
    const held = found.rows.value?.length ?? 0;
    await found.more();
    // Once the rows are drawn. The button may be gone with the last page.
    setTimeout(() => props.list.current?.children[held]?.querySelector<HTMLElement>("a, button")?.focus());
  };
  return (
    <button type="button" class="button more" aria-disabled={found.asking.value} onClick={more}>
      {props.label}
    </button>
  );
}
