import { expect, test } from "bun:test";
import fc from "fast-check";
import { addressOf } from "../src/limits/address.ts";

const from = (own: string | undefined, forwarded?: string, trustProxy = 0): string =>
  addressOf(
    new Request("http://x/", forwarded === undefined ? {} : { headers: { "x-forwarded-for": forwarded } }),
    () => own,
    trustProxy,
  );

test("an IPv4 address is itself, however it comes; an IPv6 one is its network", () => {
  for (const [own, expected] of [
    ["203.0.113.7", "203.0.113.7"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["::FFFF:cb00:7107", "203.0.113.7"],
    ["0:0:0:0:0:ffff:203.0.113.7", "203.0.113.7"],
    ["64:ff9b::203.0.113.7", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:0DB8:0001:0002::9", "2001:db8:1:2"],
    ["2001:db8:1:3::9", "2001:db8:1:3"],
    ["2001:db8::9", "2001:db8:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["::1", "0:0:0:0"],
    ["::", "0:0:0:0"],
    ["1::", "1:0:0:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4"],
    ["1:2:3:4:5:6:7.8.9.10", "1:2:3:4"],
  ] as const) {
    expect([own, from(own)]).toEqual([own, expected]);
  }
  expect(from(undefined)).toBe("-"); // a Unix socket has none
});

test("all ways to write an IPv6 address give the same network", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }), fc.boolean(), (groups, gaps) => {
      const some = gaps ? groups.map((group) => (group % 3 === 0 ? 0 : group)) : groups;
      fc.pre(!some.slice(0, 5).every((group) => group === 0) && some[0] !== 0x64);
      const long = some.map((group) => group.toString(16).padStart(4, "0").toUpperCase()).join(":");
      const short = new URL(`http://[${long}]`).hostname.slice(1, -1); // as RFC 5952 has it
      const expected = some
        .slice(0, 4)
        .map((group) => group.toString(16))
        .join(":");
      expect([from(long), from(short)]).toEqual([expected, expected]);
    }),
    { numRuns: 500 },
  );
});

test("X-Forwarded-For changes nothing unless a proxy is trusted", () => {
  expect(from("192.0.2.1", "203.0.113.7")).toBe("192.0.2.1");
  expect(from("192.0.2.1", "203.0.113.7, 192.0.2.1")).toBe("192.0.2.1");
});

test("behind n trusted proxies it is the n-th from the right that counts; what stands before it may be made up", () => {
  for (const madeUp of ["", "198.51.100.1, ", "evil, , 1.1.1.1,2.2.2.2, ", `${"x".repeat(5_000)},`]) {
    expect(from("192.0.2.1", `${madeUp}203.0.113.7`, 1)).toBe("203.0.113.7");
    expect(from("192.0.2.1", `${madeUp}203.0.113.7 , 192.0.2.9`, 2)).toBe("203.0.113.7");
    expect(from("192.0.2.1", `${madeUp}2001:db8:1:2::9,192.0.2.9`, 2)).toBe("2001:db8:1:2");
  }
});

test("a port beside it does not count", () => {
  expect(from("192.0.2.1", "203.0.113.7:4711", 1)).toBe("203.0.113.7");
  expect(from("192.0.2.1", "[2001:db8:1:2::9]:4711", 1)).toBe("2001:db8:1:2");
  expect(from("192.0.2.1", "[2001:db8:1:2::9]", 1)).toBe("2001:db8:1:2");
});

test("where that place is empty or holds no address, the connection's own counts", () => {
  for (const bad of [
    "",
    " ",
    "unknown",
    "_hidden",
    "203.0.113",
    "203.0.113.7.8",
    "999.1.1.1",
    "1.2.3.4:x",
    "[::1",
    "::1::2",
    "localhost",
    "203.0.113.7 x",
    "💥",
  ]) {
    const seen = /[^ -~]/.test(bad) ? encodeURIComponent(bad) : bad;
    expect([bad, from("192.0.2.1", `198.51.100.1,${seen}`, 1)]).toEqual([bad, "192.0.2.1"]);
  }
  expect(from("192.0.2.1", undefined, 1)).toBe("192.0.2.1");
  expect(from("192.0.2.1", "203.0.113.7", 2)).toBe("192.0.2.1"); // fewer than the proxies that are trusted
});
