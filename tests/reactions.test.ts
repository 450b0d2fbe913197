import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Message } from "../src/messages/queries.ts";
import { answer, answers } from "./support/answer.ts";
import type { Client, Json } from "./support/client.ts";
import { quietCursor } from "./support/cursor.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
let ada: Client; // owner
let ben: Client;
let kim: Client;
let eve: Client; // stranger
beforeAll(async () => {
  server = await testServer();
  [ada, ben, kim, eve] = await Promise.all([
    server.person("ada"),
    server.person("ben"),
    server.person("kim"),
    server.person("eve"),
  ]);
});
afterAll(() => server.close());

type Sent = Json<Message>;

/** Twenty-five that differ. */
const KINDS = Array.from({ length: 25 }, (_, i) => String.fromCodePoint(0x1f400 + i));

/** Ada's room with one message of hers. */
async function room(...members: Client[]): Promise<number> {
  const { id } = await ada.openRoom("a room", members);
  await ada.send(id);
  return id;
}
const at = (id: number, seq: number, emoji: string) =>
  `/rooms/${id}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`;
const react = (who: Client, id: number, emoji: string, seq = 1) => who.call<Sent>("PUT", at(id, seq, emoji));
const unreact = (who: Client, id: number, emoji: string, seq = 1) => who.call("DELETE", at(id, seq, emoji));
const one = (who: Client, id: number, seq = 1) => who.must<Sent>("GET", `/rooms/${id}/messages/${seq}`);
const edit = (id: number, body: string) => ada.must("PATCH", `/rooms/${id}/messages/1`, { body });
const erase = (id: number, seq = 1) => ada.call("DELETE", `/rooms/${id}/messages/${seq}`);
/** What is on a message: `👍 1,2`. */
const on = async (id: number, seq = 1) =>
  (await one(ada, id, seq)).reactions.map(({ emoji, users }) => `${emoji} ${users}`);
/** The room's edits, deletes and reactions so far: the second half of the timeline's cursor. */
const changes = async (id: number) =>
  Number((await ada.must("GET", `/rooms/${id}/messages`)).cursor.split(".")[1]);

describe("a reaction", () => {
  test("is answered with the message as it is now, and is read wherever the message is", async () => {
    const id = await room(ben);
    const sent = await one(ada, id);
    const reply = await react(ben, id, "👍");
    expect(reply).toMatchObject({ status: 200 });
    expect(reply.body).toEqual({ ...sent, reactions: [{ emoji: "👍", users: [ben.user.id] }] });
    expect(await one(ada, id)).toEqual(reply.body);
    expect((await ada.must("GET", `/rooms/${id}/messages`)).messages).toEqual([reply.body]);
  });

  test("stands behind the earlier ones, by emoji and by user", async () => {
    const id = await room(ben, kim);
    await react(kim, id, "🎉");
    await react(ben, id, "👍");
    await react(ada, id, "🎉");
    await react(ben, id, "🎉");
    const [a, b, k] = [ada.user.id, ben.user.id, kim.user.id];
    expect(await on(id)).toEqual([`🎉 ${[k, a, b]}`, `👍 ${b}`]);
  });

  test("of the same user with the same emoji is there once", async () => {
    const id = await room(ben);
    const first = await react(ben, id, "👍");
    expect(await react(ben, id, "👍")).toMatchObject({ status: 200, body: first.body });
    expect(await on(id)).toEqual([`👍 ${ben.user.id}`]);
  });

  test("is taken away, the caller's own only, and as often as one likes", async () => {
    const id = await room(ben);
    await react(ada, id, "👍");
    await react(ben, id, "👍");
    await react(ben, id, "🎉");
    expect(await unreact(ben, id, "👍")).toMatchObject({ status: 204, body: null });
    expect(await on(id)).toEqual([`👍 ${ada.user.id}`, `🎉 ${ben.user.id}`]);
    expect(await answer(unreact(ben, id, "👍"))).toBe("204");
    expect(await answer(unreact(ben, id, "🦊"))).toBe("204");
    expect(await on(id)).toEqual([`👍 ${ada.user.id}`, `🎉 ${ben.user.id}`]);
  });

  test("that was its kind's last takes the kind along, and comes back at the end", async () => {
    const id = await room(ben);
    await react(ben, id, "👍");
    await react(ben, id, "🎉");
    await unreact(ben, id, "👍");
    expect(await on(id)).toEqual([`🎉 ${ben.user.id}`]);
    await react(ben, id, "👍");
    expect(await on(id)).toEqual([`🎉 ${ben.user.id}`, `👍 ${ben.user.id}`]);
  });

  test("is for members: a stranger and one who has left find no room", async () => {
    const id = await room(ben, kim);
    await react(kim, id, "👍");
    await kim.must("DELETE", `/rooms/${id}/members/me`);
    expect(
      await answers([eve, kim].flatMap((who) => [react(who, id, "🎉"), unreact(who, id, "👍")])),
    ).toEqual({
      "404 room-not-found": 4,
    });
    expect(await on(id)).toEqual([`👍 ${kim.user.id}`]);
  });

  test("is to a message that is there", async () => {
    const id = await room();
    await ada.send(id);
    await erase(id, 2);
    for (const seq of [3, 0, 1.5, 2 ** 53]) {
      expect([seq, await answers([react(ada, id, "👍", seq), unreact(ada, id, "👍", seq)])]).toEqual([
        seq,
        { "404 message-not-found": 2 },
      ]);
    }
    // Of a deleted one every reaction is gone: so to take one away is done already.
    expect(await answers([react(ada, id, "👍", 2)])).toEqual({ "404 message-not-found": 1 });
    expect((await unreact(ada, id, "👍", 2)).status).toBe(204);
    expect(await one(ada, id, 2)).toMatchObject({ reactions: [] });
    expect(await changes(id)).toBe(1); // the deletion
  });

  test("with a heart as text is one with the picture of a heart", async () => {
    const id = await room(ben);
    for (const [who, emoji] of [
      [ada, "❤"],
      [ben, "❤️"],
    ] as const)
      await react(who, id, emoji);
    expect((await one(ada, id, 1)).reactions).toEqual([{ emoji: "❤️", users: [ada.user.id, ben.user.id] }]);
    expect((await unreact(ben, id, "❤")).status).toBe(204);
    expect((await one(ada, id, 1)).reactions).toEqual([{ emoji: "❤️", users: [ada.user.id] }]);
  });

  test("may be to what the server told", async () => {
    const id = await room(ben);
    await ada.must("PATCH", `/rooms/${id}`, { name: "renamed" });
    expect((await react(ben, id, "🎉", 2)).body).toMatchObject({
      kind: "system",
      reactions: [{ emoji: "🎉", users: [ben.user.id] }],
    });
  });

  test("outlasts an edit, and is on the message that the same clientId gives again", async () => {
    const id = await room();
    const again = { body: "hello", clientId: "c" };
    await ada.send(id, again.body, { clientId: again.clientId });
    const reactions = [{ emoji: "👍", users: [ada.user.id] }];
    await react(ada, id, "👍", 2);
    expect(await ada.call("POST", `/rooms/${id}/messages`, again)).toMatchObject({
      status: 200,
      body: { seq: 2, reactions },
    });
    await react(ada, id, "👍");
    expect(await edit(id, "edited")).toMatchObject({ body: "edited", reactions });
    expect(await one(ada, id)).toMatchObject({ reactions });
  });

  test("goes with the message", async () => {
    const id = await room(ben);
    await react(ben, id, "👍");
    await erase(id);
    expect(await one(ben, id)).toMatchObject({ body: null, reactions: [] });
  });

  test("changes the timeline once, and nothing in the room list", async () => {
    const id = await room(ben);
    const [before, cursor] = [await ben.room(id), await quietCursor(ben)];
    await react(ada, id, "👍");
    await react(ada, id, "👍");
    expect(await changes(id)).toBe(1);
    await unreact(ada, id, "👍");
    await unreact(ada, id, "👍");
    await unreact(ada, id, "🎉");
    expect(await changes(id)).toBe(2);
    const [message] = await server.database.sql`select changed from messages where room_id = ${id}`;
    expect(message?.changed).toBe(2);
    expect(await ben.room(id)).toEqual(before);
    expect(await ben.list(`?since=${cursor}`)).toMatchObject({ rooms: [], left: [], reset: false });
  });

  test("is told to the other servers if it changes something", async () => {
    const [id, other] = [await room(), await room()];
    const heard: string[] = [];
    const { unlisten } = await server.database.sql.listen("foyer_hints", (payload) => {
      heard.push(...payload.split(" ").filter((hint) => hint === `c${id}` || hint === `r${other}`));
    });
    /** What is heard of the room until a send to the other one is. */
    const told = async () => {
      await ada.send(other);
      await eventually(() => heard.includes(`r${other}`));
      return heard.splice(0).filter((hint) => hint === `c${id}`).length;
    };
    await told(); // what the making of the rooms has left
    await react(ada, id, "👍");
    expect(await told()).toBe(1);
    await react(ada, id, "👍");
    await unreact(ada, id, "🎉");
    expect(await told()).toBe(0);
    await unreact(ada, id, "👍");
    expect(await told()).toBe(1);
    await unlisten();
  });
});

describe("an emoji", () => {
  test.each([
    ["a face", "😀"],
    ["a skin tone", "👍🏽"],
    ["a flag", "🇩🇪"],
    ["a flag of a region", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"],
    ["a family", "👨‍👩‍👧‍👦"],
    ["two people of two skin tones", "🧑🏻‍❤️‍💋‍🧑🏿"],
    ["a profession", "👩🏽‍🚀"],
    ["a rainbow flag", "🏳️‍🌈"],
    ["a keycap of #", "#️⃣"],
    ["a keycap of *", "*️⃣"],
    ["a keycap of 1", "1️⃣"],
    ["a heart", "❤️"],
    ["a copyright sign", "©️"],
  ])("may be %s: %s", async (_what, emoji) => {
    const id = await room();
    const reactions = [{ emoji, users: [ada.user.id] }];
    expect(await react(ada, id, emoji)).toMatchObject({ status: 200, body: { reactions } });
    expect(await one(ada, id)).toMatchObject({ reactions });
    expect(await answer(unreact(ada, id, emoji))).toBe("204");
    expect(await one(ada, id)).toMatchObject({ reactions: [] });
  });

  test.each([
    ["a letter", "a"],
    ["a digit", "1"],
    ["#", "%23"],
    ["a short code", ":smile:"],
    ["two emoji", encodeURIComponent("👍👍")],
    ["an emoji and a blank", encodeURIComponent("👍 ")],
    ["an emoji and a line break", encodeURIComponent("👍\n")],
    ["an emoji and NUL", `${encodeURIComponent("👍")}%00`],
    ["an emoji and a joiner", encodeURIComponent("👍\u200d")],
    ["half a flag", encodeURIComponent("🇩")],
    ["a flag of no country", encodeURIComponent("🇩🇩")],
    ["a heart as text twice", encodeURIComponent("❤❤")],
    ["a joiner alone", encodeURIComponent("\u200d")],
    ["a blank", "%20"],
    ["a slash", "%2F"],
    ["NUL", "%00"],
    ["a byte that is no UTF-8", "%ff"],
    ["an emoji cut off", "%F0%9F%91"],
    ["an emoji and a byte that is no UTF-8", `${encodeURIComponent("👍")}%ff`],
    ["half a surrogate pair", "%ED%A0%BD"],
    ["an emoji encoded twice", encodeURIComponent(encodeURIComponent("👍"))],
    ["% alone", "%"],
    ["% and no digits", "%zz"],
    ["1,000 emoji", encodeURIComponent("👍".repeat(1_000))],
  ])("is not %s: 422", async (_what, encoded) => {
    const id = await room();
    for (const method of ["PUT", "DELETE"]) {
      const { status, body } = await ada.call(method, `/rooms/${id}/messages/1/reactions/${encoded}`);
      expect({ method, status, code: body.code, errors: body.errors }).toEqual({
        method,
        status: 422,
        code: "invalid",
        errors: [{ path: "/emoji", message: expect.stringContaining("exactly one emoji") }],
      });
    }
    expect(await on(id)).toEqual([]);
  });

  test("that is none is refused before anything is looked up: alike in a room that is not theirs", async () => {
    const id = await room();
    const calls = [
      react(eve, id, "x"),
      unreact(eve, id, "x"),
      react(eve, 987_654, "x"),
      react(ada, id, "x", 9),
    ];
    expect(await answers(calls)).toEqual({ "422 invalid": 4 });
  });
});

describe("twenty kinds", () => {
  test("are the most: the next is 409, more of the same are not, and one that goes makes room", async () => {
    const id = await room(ben);
    for (const emoji of KINDS.slice(0, 20)) await react(ada, id, emoji);
    const [first, more] = [KINDS[0] as string, KINDS[20] as string];
    const full = await on(id);
    expect(await answer(react(ada, id, more))).toBe("409 too-many-reactions");
    expect(await answer(react(ben, id, more))).toBe("409 too-many-reactions");
    expect(await on(id)).toEqual(full);
    expect(await changes(id)).toBe(20);

    expect(await answers([react(ben, id, first), react(ada, id, first)])).toEqual({ "200": 2 });
    expect(await answer(unreact(ada, id, more))).toBe("204");
    await unreact(ada, id, KINDS[1] as string);
    expect(await answer(react(ben, id, more))).toBe("200");
    expect(await on(id)).toHaveLength(20);
  });

  test("are the most when twenty-five come at once", async () => {
    const id = await room(ben, kim);
    const calls = KINDS.map((emoji, i) => react([ada, ben, kim][i % 3] as Client, id, emoji));
    expect(await answers(calls)).toEqual({ "200": 20, "409 too-many-reactions": 5 });
    expect(await on(id)).toHaveLength(20);
    expect(await changes(id)).toBe(20);
  });
});

describe("at once", () => {
  test("people come and go, each twice: none is lost, and each change counts once", async () => {
    const crowd = await Promise.all(Array.from({ length: 8 }, () => server.person("crowd")));
    const id = await room(...crowd);
    const [goers, comers] = [crowd.slice(0, 4), crowd.slice(4)];
    const kinds = ["👍", "🎉", "👩🏽‍🚀"];
    const each = (people: Client[], act: typeof react | typeof unreact) =>
      people.flatMap((who) => kinds.flatMap((emoji) => [act(who, id, emoji), act(who, id, emoji)]));
    expect(await answers(each(goers, react))).toEqual({ "200": 24 });
    expect(await changes(id)).toBe(12);

    const acts = [...each(goers, unreact), ...each(comers, react), ada.send(id).then(() => null)];
    const replies = await Promise.all(acts);
    expect(replies.map((reply) => reply?.status).sort()).toEqual([
      ...Array(24).fill(200),
      ...Array(24).fill(204),
      undefined,
    ]);
    const { reactions } = await one(ada, id);
    const ids = comers.map(({ user }) => user.id).sort((a, b) => a - b);
    expect(
      Object.fromEntries(reactions.map(({ emoji, users }) => [emoji, users.sort((a, b) => a - b)])),
    ).toEqual(Object.fromEntries(kinds.map((emoji) => [emoji, ids])));
    expect(reactions).toHaveLength(kinds.length);
    expect(await changes(id)).toBe(12 + 24);
  });

  test("with its deletion, a message keeps none", async () => {
    const id = await room(ben, kim);
    let deletion: Promise<string> | undefined;
    const calls = KINDS.slice(0, 15).map((emoji, i) => {
      if (i === 7) deletion = answer(erase(id));
      return react([ada, ben, kim][i % 3] as Client, id, emoji);
    });
    const given = await answers(calls);
    expect(await deletion).toBe("204");
    expect(await one(ada, id)).toMatchObject({ body: null, reactions: [] });
    expect((given["200"] ?? 0) + (given["404 message-not-found"] ?? 0)).toBe(15);
    expect(await changes(id)).toBe((given["200"] ?? 0) + 1);
  });
});
