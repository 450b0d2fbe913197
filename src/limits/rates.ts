import type { Rate } from "./buckets.ts";

/**
 * What is limited, by whose count, and the default; each is a setting: `LIMIT_` and the name in capitals.
 * `30+5/s`: 30 at once, and 5 a second from then on.
 */
export const RATES = {
  /** Every request of an address, but for the health checks: an office behind one address, coming back as one. */
  address: "1000+200/s",
  /** Every request of an account. */
  account: "300+50/s",
  /** Wrong passwords, by handle and address together: the owner elsewhere is not locked out. */
  "sign-in": "10+10/m",
  /** Wrong passwords of an address, whatever the handles. */
  "sign-in-address": "50+30/m",
  /** Wrong passwords for a handle, from wherever (NIST SP 800-63B, 3.2.2: at most 100 in a row). */
  "sign-in-account": "100+100/h",
  /** Accounts that an address tries to make: each costs a hash. */
  "sign-up": "50+50/h",
  /** An account's messages, over all rooms. */
  send: "30+5/s",
  /** Its edits, deletions and reactions. */
  edit: "60+10/s",
  typing: "30+5/s",
  /** Its searches, also for people and open rooms: what is asked while one types. */
  search: "30+5/s",
  /** Rooms that it makes, changes or removes, and its renames: the whole audience is told of each. */
  room: "30+30/m",
  /** People that it adds or removes, roles that it gives, rooms that it joins or leaves. */
  member: "100+100/m",
  token: "20+20/h",
  /** Frames over its sockets: four of them that come back with all their rooms at once. */
  frame: "2500+50/s",
} as const satisfies Record<string, string>;

export type RateName = keyof typeof RATES;
/** null: no limit. */
export type Rates = Record<RateName, Rate | null>;

export const RATE_NAMES = Object.keys(RATES) as RateName[];

/** `sign-in` -> `LIMIT_SIGN_IN` */
export const settingOf = (name: RateName): string => `LIMIT_${name.toUpperCase().replaceAll("-", "_")}`;

export const RATE_FORM = "takes a number at once and how many more a second, minute or hour (30+5/s), or off";
const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600 };

/** @returns null for `off`, undefined for what has another form */
export function parseRate(given: string): Rate | null | undefined {
  if (given === "off") return null;
  const [, burst, count, unit = ""] = /^([1-9]\d{0,5})\+([1-9]\d{0,5})\/([smh])$/.exec(given) ?? [];
  if (burst === undefined) return undefined;
  return { burst: Number(burst), perSecond: Number(count) / (SECONDS[unit] as number) };
}

/** Which limit a route has besides those of every request: by method and path, as the app names them. */
export const ROUTE_RATES: Record<string, RateName> = {
  "POST /chat/api/tokens": "token",
  "POST /chat/api/invites": "token",
  "GET /chat/api/users": "search",
  "PATCH /chat/api/users/me": "room",
  "POST /chat/api/rooms": "room",
  "GET /chat/api/rooms/open": "search",
  "PATCH /chat/api/rooms/:id": "room",
  "DELETE /chat/api/rooms/:id": "room",
  "PUT /chat/api/rooms/:id/members/:userId": "member",
  "DELETE /chat/api/rooms/:id/members/:userId": "member",
  "POST /chat/api/rooms/:id/messages": "send",
  "PATCH /chat/api/rooms/:id/messages/:seq": "edit",
  "DELETE /chat/api/rooms/:id/messages/:seq": "edit",
  "PUT /chat/api/rooms/:id/messages/:seq/reactions/:emoji": "edit",
  "DELETE /chat/api/rooms/:id/messages/:seq/reactions/:emoji": "edit",
  "POST /chat/api/rooms/:id/typing": "typing",
  "GET /chat/api/search": "search",
};
