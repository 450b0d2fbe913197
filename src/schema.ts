import { FormatRegistry, Kind, type TSchema, Type, TypeRegistry } from "@sinclair/typebox";
import { notFound, Problem } from "./problem.ts";

/** The largest id or sequence number: JSON numbers are exact up to here. */
export const MAX_ID = Number.MAX_SAFE_INTEGER;

interface TextOptions {
  minLength: number;
  maxLength: number;
  /** What it must match besides; for the document, and checked. */
  pattern?: string;
  description?: string;
}

// JSON Schema counts characters, TypeBox UTF-16 units; and Postgres takes neither NUL nor half a surrogate pair.
TypeRegistry.Set<TextOptions>("Text", ({ minLength, maxLength, pattern }, value) => {
  if (typeof value !== "string" || value.length < minLength || value.length > 2 * maxLength) return false;
  if (value.includes("\0") || !value.isWellFormed()) return false;
  if (value.length > maxLength && Array.from(value).length > maxLength) return false;
  return pattern === undefined || new RegExp(pattern, "u").test(value);
});

/** Text of so many characters (code points), well-formed, without NUL. */
export const text = (options: TextOptions) =>
  Type.Unsafe<string>({ [Kind]: "Text", type: "string", ...options });

// What Elysia's `t.Integer` takes from a query: digits. By itself it also takes 1e3, 0x10 and blanks around.
FormatRegistry.Set("integer", (value) => /^-?\d+$/.test(value));

/** A JSON integer: text that looks like one does not count. For bodies; in a query Elysia's own `t.Integer` reads text. */
export const integer = (options: { minimum: number; maximum?: number; description?: string }) =>
  Type.Integer({ maximum: MAX_ID, ...options });

/** Something to be seen: a name of blanks or of marks of zero width would be a hole in every list. */
export const VISIBLE = "[\\p{L}\\p{N}\\p{P}\\p{S}]";

/** What people call themselves. */
export const personName = text({
  minLength: 1,
  maxLength: 80,
  pattern: VISIBLE,
  description: "takes 1 to 80 characters, some of them to be seen",
});

/** Either, or null. */
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

TypeRegistry.Set<{ enum: string[] }>("Words", (schema, value) => schema.enum.includes(value as string));

/** One of these words. Not TypeBox's own: of another value, Elysia makes text, and fails where its `toString` is none. */
export const words = <T extends string>(...allowed: T[]) =>
  Type.Unsafe<T>({ [Kind]: "Words", type: "string", enum: allowed });

/**
 * An id or a sequence number out of a path.
 * @throws Problem 404 for what is no positive integer below 2^53, as for a thing that is not there
 */
export function pathId(given: string, what: Parameters<typeof notFound>[0]): number {
  const id = /^[1-9]\d{0,15}$/.test(given) ? Number(given) : Number.NaN;
  if (!Number.isSafeInteger(id)) throw notFound(what);
  return id;
}

/** What a value of this schema must be, in words, for the one who sent something else. */
function requirement(schema: TSchema | undefined): string {
  if (!schema) return "has the wrong form";
  if (schema.anyOf) {
    // A string with a format: how Elysia reads a number or a boolean out of a query.
    const parts = (schema.anyOf as TSchema[]).filter((part) => part.format === undefined).map(requirement);
    return [...new Set(parts)].join(", or ");
  }
  if (schema.enum) return `takes one of ${schema.enum.join(", ")}`;
  if (schema.description?.startsWith("takes ")) return schema.description;
  switch (schema.type) {
    case "string":
      return schema.minLength === undefined
        ? "takes text"
        : `takes text of ${schema.minLength} to ${schema.maxLength} characters, without NUL or broken surrogates`;
    case "integer":
      return `takes a whole number from ${schema.minimum ?? -MAX_ID} to ${schema.maximum ?? MAX_ID}`;
    case "boolean":
      return "takes true or false";
    case "array":
      return `takes a list of at most ${schema.maxItems} entries`;
    case "null":
      return "takes null";
    default:
      return `takes ${schema.type === "object" ? "a JSON object" : `a ${schema.type ?? "value of another form"}`}`;
  }
}

/** What is used here of Elysia's ValidationError. */
export interface ValidationError {
  /** "property": what a query's text stands for does not fit. */
  type: string;
  value: unknown;
  all: { path?: string; schema?: TSchema }[];
}

/** 422 for what Elysia found not to fit the route's schema: one entry for each path, in words. */
export function invalidRequest({ type, value, all }: ValidationError, request: Request): Problem {
  const base = type === "property" ? `/${parameterOf(request, value)}` : "";
  const errors = new Map(
    all.map(({ path = "", schema }) => [base + path, { path: base + path, message: requirement(schema) }]),
  );
  const [first = { path: base, message: "has the wrong form" }] = errors.values();
  return new Problem(422, "invalid", `${first.path.slice(1) || "The body"} ${first.message}.`, {
    errors: [...errors.values()],
  });
}

/** The query parameter that stands for a number: Elysia tells the number that is out of range, not its name. */
const parameterOf = ({ url }: Request, number: unknown): string =>
  [...new URL(url).searchParams].find(([, text]) => text !== "" && Number(text) === number)?.[0] ?? "";
