/** One operation of the OpenAPI document. */
export interface Operation {
  method: string;
  /** `/chat/api/rooms/{id}` */
  path: string;
  isStream: boolean;
  told: any;
}

/** Every operation of a server's OpenAPI document: what a test that is generated from it goes through. */
export async function operationsOf(url: string): Promise<Operation[]> {
  const { paths } = (await (await fetch(`${url}/docs/json`)).json()) as { paths: Record<string, object> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, told]) => ({
      method: method.toUpperCase(),
      path,
      isStream: "text/event-stream" in (told.responses[200]?.content ?? {}),
      told,
    })),
  );
}

/** A path with its parameters filled in; those that are not given are 1. */
export const fill = (path: string, given: Record<string, string | number>): string =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(given[name] ?? 1));

/** A body with which every write of the API could do something: fields that a route does not know are ignored. */
export const BODY = {
  handle: "planted",
  name: "planted",
  password: "attacker's own",
  kind: "open",
  topic: "planted",
  members: [],
  body: "planted",
  seq: 1,
  role: "member",
  involvement: "none",
};
