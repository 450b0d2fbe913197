import { problemWords } from "./words.ts";

/** What went wrong, in words, where it was tried; nothing while nothing did. */
export const Problem = ({ error }: { error: unknown }) => (
  <p class="fault" role="alert">
    {error === null ? "" : problemWords(error)}
  </p>
);
