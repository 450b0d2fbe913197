import { isIP, isIPv4, isIPv6 } from "node:net";

/** Names the address of who asks, for counting: an IPv4 address, or the network (/64) of an IPv6 one. */
export type Address = string;

/** Where a request came from that has no address: over a Unix socket, or from one that has gone. */
const NOWHERE: Address = "-";

/**
 * The address that a request came from: the connection's own; behind proxies that are trusted (`TRUST_PROXY`), what the
 * outermost of them saw. Each proxy adds, at the right end of `X-Forwarded-For`, whom it was called by, so a client can
 * make up only what stands further left. Where that place is empty or holds no address, the connection's own counts.
 * @param own the connection's; asking for it costs more than all the rest here
 * @param trustProxy how many
 */
export function sourceOf(
  request: Request,
  own: () => string | undefined,
  trustProxy: number,
): string | undefined {
  const hop = trustProxy > 0 ? request.headers.get("x-forwarded-for")?.split(",").at(-trustProxy) : undefined;
  const seen = hop && withoutPort(hop.trim());
  return seen && isIP(seen) !== 0 ? seen : own();
}

/** The address to count a request by. */
export const addressOf = (...asked: Parameters<typeof sourceOf>): Address =>
  normalize(sourceOf(...asked) ?? "") ?? NOWHERE;

/** Some proxies add a port: `203.0.113.7:4711`, `[2001:db8::1]:4711`. */
function withoutPort(given: string): string {
  const [, inBrackets, plain] = /^\[([^\]]*)\](?::\d+)?$|^([^:]*)(?::\d+)?$/.exec(given) ?? [];
  return inBrackets ?? plain ?? given;
}

/**
 * One name for all ways to write an address. A home or a machine has a whole /64 of IPv6 and could use another address
 * for each request; an IPv4 address within IPv6 (mapped: RFC 4291, 2.5.5.2; translated: RFC 6052) is that address.
 * @returns null for what is no address
 */
function normalize(given: string): Address | null {
  if (isIPv4(given)) return given;
  if (!isIPv6(given)) return null;
  const groups = groupsOf(given);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const isMapped = (a | b | c | d | e) === 0 && f === 0xffff;
  const isTranslated = a === 0x64 && b === 0xff9b && (c | d | e | f) === 0;
  if (isMapped || isTranslated) return `${g >> 8}.${g & 255}.${h >> 8}.${h & 255}`;
  return `${a.toString(16)}:${b.toString(16)}:${c.toString(16)}:${d.toString(16)}`;
}

/** The eight groups of an IPv6 address that is one; a zone (`%eth0`) does not count. Digit by digit: each request comes by. */
function groupsOf(address: string): number[] {
  const groups: number[] = [];
  let gap = -1; // before which group `::` stands
  let digits = 0;
  let group = 0;
  for (let at = 0; at <= address.length; at++) {
    const code = at < address.length ? address.charCodeAt(at) : ZONE;
    if (code === COLON || code === ZONE) {
      if (digits > 0) groups.push(group);
      if (code === ZONE) break;
      if (address.charCodeAt(at + 1) === COLON) gap = groups.length;
      digits = group = 0;
    } else if (code === DOT) {
      const [a = 0, b = 0, c = 0, d = 0] = address
        .slice(at - digits)
        .split(".")
        .map(Number.parseFloat);
      groups.push(a * 256 + b, c * 256 + d);
      break;
    } else {
      group = group * 16 + (code <= NINE ? code - ZERO : (code | LOWER) - TEN);
      digits++;
    }
  }
  if (groups.length < 8) groups.splice(gap, 0, ...Array<number>(8 - groups.length).fill(0));
  return groups;
}

const [ZONE, COLON, DOT, ZERO, NINE] = [..."%:.09"].map((char) => char.charCodeAt(0)) as [
  number,
  number,
  number,
  number,
  number,
];
const LOWER = 32; // the bit in which a small letter differs
const TEN = "a".charCodeAt(0) - 10;
