/**
 * Whether a request's `url` may name another path than the one that its route was found by: Bun looks for the route first,
 * and takes backslashes for slashes afterwards. No parameter of ours has one.
 */
export const isMisread = (request: Request): boolean =>
  Object.values((request as Partial<Bun.BunRequest>).params ?? {}).some((value) => value?.includes("\\"));
