import { ApiError } from "../../client/index.ts";
import { problemWords, t } from "../words.ts";

/** What is wrong with a form: by field, and `""` for the whole of it. */
export type Faults = Record<string, string>;

/** Faults that the page itself finds, thrown in a form's `submit`. */
export class FormFault extends Error {
  constructor(readonly faults: Faults) {
    super("the form is not filled in rightly");
  }
}

/** The server's own limits, in characters as it counts them: code points. They save a question to it; it decides. */
const LIMITS = {
  name: [1, 80],
  roomName: [1, 100],
  topic: [0, 500],
  password: [8, 256],
  next: [8, 256],
} as const;
const HANDLE = /^[a-z0-9._-]{2,32}$/;

type Checked = keyof typeof LIMITS | "handle";

function fits(field: Checked, value: string): boolean {
  if (field === "handle") return HANDLE.test(value);
  const [least, most] = LIMITS[field];
  const length = Array.from(value).length;
  return length >= least && length <= most;
}

/** @throws FormFault for the values that the server would refuse */
export function mustFit(values: Partial<Record<Checked, string>>): void {
  const wrong = Object.entries(values).filter(([field, value]) => !fits(field as Checked, value));
  if (wrong.length > 0) {
    throw new FormFault(
      Object.fromEntries(wrong.map(([field]) => [field, t.fieldFaults[field] ?? t.missing])),
    );
  }
}

/** @throws FormFault for the values that are empty */
export function mustBeThere(values: Record<string, string>): void {
  const empty = Object.keys(values).filter((field) => values[field] === "");
  if (empty.length > 0) throw new FormFault(Object.fromEntries(empty.map((field) => [field, t.missing])));
}

/**
 * An error, in words at the fields that it is about, or for the whole form.
 * @param fieldOf which field an error's code, or a name in the API, belongs to
 */
export function faultsOf(error: unknown, fieldOf: Record<string, string>): Faults {
  if (error instanceof FormFault) return error.faults;
  if (error instanceof ApiError) {
    const field = fieldOf[error.code];
    if (field !== undefined) return { [field]: problemWords(error) };
    const faults: Faults = {};
    for (const { path } of error.errors) {
      const name = path.replace(/^[./]/, "");
      const shown = fieldOf[name] ?? name;
      if (t.fieldFaults[shown]) faults[shown] = t.fieldFaults[shown];
    }
    if (Object.keys(faults).length > 0) return faults;
  }
  return { "": problemWords(error) };
}
