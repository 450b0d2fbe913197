import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openConnection } from "../src/db/borrow.ts";
import { migrate } from "../src/db/migrate.ts";
import { dismiss, gather } from "../src/demo/cast.ts";
import { FillRefused, fill } from "../src/demo/fill.ts";
import type { Size } from "../src/demo/fills.ts";
import { OptionError, readOptions } from "../src/demo/options.ts";
import { Progress } from "../src/demo/progress.ts";
import { session } from "../src/demo/session.ts";
import { TalkRefused, talk } from "../src/demo/talk.ts";
import { mentionedHandles } from "../src/messages/mentions.ts";
import { readCursors } from "../src/rooms/cursor.ts";
import { listRooms } from "../src/rooms/list.ts";
import { searchMessages } from "../src/search/queries.ts";
import { freshDatabase, type TestDatabase } from "./support/database.ts";
import { EventReader } from "./support/events.ts";
import { testServer } from "./support/server.ts";

const SIZE: Size = { users: 50, rooms: 20, messages: 5_000, seed: 1 };
const silent = { write() {} };
const running = new AbortController().signal;

async function fillOf(database: TestDatabase, size = SIZE, force = false, signal = running, screen = silent) {
  const connection = openConnection(database.target);
  try {
    return await fill(connection, size, { force, signal, screen, batch: 1_500 });
  } finally {
    await connection.end();
  }
}

async function withFresh<T>(work: (database: TestDatabase) => Promise<T>): Promise<T> {
  const database = await freshDatabase();
  try {
    return await work(database);
  } finally {
    await database.drop();
  }
}

/** All that a fill decides, with times relative to its start. */
async function fingerprint({ sql }: TestDatabase): Promise<string> {
  const [row] = await sql`
    select md5(string_agg(concat_ws('|', room_id, seq, sender_id, kind, body, reply_to, mentions, changed,
                                    created_at - started_at, edited_at - started_at, deleted_at - started_at),
                          ',' order by room_id, seq))
           || (select md5(string_agg(concat_ws('|', user_id, room_id, role, involvement, last_read_seq, own_after_read), ','
                                     order by user_id, room_id)) from memberships)
           || (select md5(string_agg(concat_ws('|', id, kind, name, topic, member_count, last_seq), ',' order by id)) from rooms)
           as print
      from messages, demo_fills`;
  return row?.print;
}

// Each gives the rows that break the rule: recounted from the messages, by other means than the fill's.
const RULES: Record<string, string> = {
  "seq counts 1 to n in each room, and last_seq is n": `
    select r.id from rooms r left join messages m on m.room_id = r.id group by r.id
    having count(m.seq) <> r.last_seq or coalesce(max(m.seq), 0) <> r.last_seq or coalesce(min(m.seq), 1) <> 1
    union all select room_id from messages where room_id not in (select id from rooms)`,
  "what has changed is numbered 1 to change_count, in each room": `
    select r.id from rooms r left join messages m on m.room_id = r.id group by r.id
    having count(m.changed) <> r.change_count or count(distinct m.changed) <> r.change_count
        or coalesce(max(m.changed), 0) <> r.change_count`,
  "edited and deleted messages, and no others, have changed": `
    select * from messages
     where (changed is not null) <> (edited_at is not null or deleted_at is not null)
        or (kind = 'system' and changed is not null)`,
  "the last message is the newest text that is not deleted": `
    select * from (
      select r.*, row(r.last_message_seq, r.last_message_sender_id, r.last_message_at, r.last_message_edited_at, r.last_message_preview)
                  is distinct from row(m.seq, m.sender_id, m.created_at, m.edited_at, preview(m.body)) as wrong
        from rooms r
        left join messages m on m.room_id = r.id
         and m.seq = (select max(seq) from messages where room_id = r.id and kind = 'text' and deleted_at is null)) x
     where wrong`,
  "no message mentions anybody after last_mention_seq": `
    select * from rooms r
     where last_mention_seq <> (select coalesce(max(seq), 0) from mentions where room_id = r.id)`,
  "last_uncounted_seq is the newest deleted or system message": `
    select * from rooms r
     where last_uncounted_seq <> (select coalesce(max(seq), 0) from messages
                                   where room_id = r.id and (kind = 'system' or deleted_at is not null))`,
  "deleted and system messages are counted by stretches of 8,192": `
    (select room_id, seq >> 13, count(*) from messages where kind = 'system' or deleted_at is not null group by 1, 2
     except select room_id, stretch, count from uncounted)
    union all
    (select room_id, stretch, count from uncounted
     except select room_id, seq >> 13, count(*) from messages where kind = 'system' or deleted_at is not null group by 1, 2)`,
  "member_count counts the members": `
    select * from rooms r where member_count <> (select count(*) from memberships where room_id = r.id)`,
  "who sends or is mentioned is a member": `
    select sender_id, room_id from messages union select unnest(mentions), room_id from messages
    except select user_id, room_id from memberships`,
  "mentions are of text that is there, and never of its own sender": `
    (select unnest(mentions) as user_id, room_id, seq from messages where kind = 'text' and deleted_at is null
     except select sender_id, room_id, seq from messages except select * from mentions)
    union all
    (select * from mentions
     except select unnest(mentions), room_id, seq from messages where kind = 'text' and deleted_at is null)
    union all select m.* from mentions m join messages x using (room_id, seq) where x.sender_id = m.user_id`,
  "a marker is inside its room": `
    select * from memberships m join rooms r on r.id = m.room_id where last_read_seq not between 0 and last_seq`,
  "own_after_read counts own text after the marker, and only a marker moved back has any": `
    select * from memberships m
     where own_after_read <> (select count(*) from messages x where x.room_id = m.room_id and x.kind = 'text'
                                and x.sender_id = m.user_id and x.seq > m.last_read_seq)
        or (own_after_read > 0 and not marked_unread)`,
  "a direct room is of its two people": `
    select r.id from rooms r join memberships m on m.room_id = r.id where r.kind = 'direct'
     group by r.id
    having array_agg(m.user_id order by m.user_id) <> r.direct_user_ids or count(*) <> 2`,
  "each room has one owner": `
    select room_id from memberships group by room_id having count(*) filter (where role = 'owner') <> 1`,
  "time follows seq, from the room's creation to now": `
    select * from (
      select m.*, r.created_at as made, lag(m.created_at) over w as before,
             max(coalesce(m.edited_at, m.deleted_at)) over (w rows between unbounded preceding and 1 preceding) as changed_before
        from messages m join rooms r on r.id = m.room_id window w as (partition by m.room_id order by m.seq)) x
     where created_at <= before or created_at < made or made < now() - interval '91 days' or created_at > now()
        or coalesce(edited_at, deleted_at) not between created_at and now()
        or coalesce(edited_at, deleted_at) <= changed_before`,
  "people and rooms are older than what they do": `
    select 1 from memberships m join users u on u.id = m.user_id join rooms r on r.id = m.room_id
     where u.created_at > r.created_at or m.joined_at < r.created_at or m.joined_at > now()`,
  "an answer is to an earlier message": `select * from messages where reply_to not between 1 and seq - 1`,
  "nobody can sign in yet": `select * from users where password_hash is not null`,
};

describe("a filled database", () => {
  let database: TestDatabase;
  let demo: number;
  beforeAll(async () => {
    database = await freshDatabase();
    demo = (await fillOf(database)).fill.demoUserId;
  });
  afterAll(() => database.drop());

  test("has as many people, rooms and messages as were asked for", async () => {
    const { sql } = database;
    const [row] = await sql`
      select (select count(*) from users) as users, (select count(*) from rooms) as rooms,
             (select count(*) from messages) as messages`;
    expect(row).toEqual({ users: 50, rooms: 20, messages: 5_000 });
  });

  for (const [rule, broken] of Object.entries(RULES)) {
    test(rule, async () => {
      expect([...(await database.sql.unsafe(broken))].slice(0, 3)).toEqual([]);
    });
  }

  test("the mentions of a message are those that the server reads from its text", async () => {
    const { sql } = database;
    const members = new Map<string, number>();
    for (const row of await sql`select room_id, handle, id from users u join memberships m on m.user_id = u.id`) {
      members.set(`${row.room_id} ${row.handle}`, row.id);
    }
    const messages = await sql`select room_id, kind, body, to_json(mentions) as mentions from messages`;
    for (const { room_id, kind, body, mentions } of messages) {
      const named = mentionedHandles(kind === "text" ? (body ?? "") : "")
        .flatMap((handle) => members.get(`${room_id} ${handle}`) ?? [])
        .sort((a, b) => a - b);
      expect(mentions).toEqual(named);
    }
    expect(messages.some(({ mentions }) => mentions.length === 2)).toBe(true);
  });

  test("the room list counts what a recount counts, for everybody", async () => {
    const { sql } = database;
    const people = (await sql`select id from users`).map((row) => row.id as number);
    const { asked } = await listRooms(
      sql,
      await readCursors(sql),
      people.map((userId) => ({ userId, roomId: null, since: "" })),
    );
    const recount = await sql`
      select m.user_id, m.room_id, count(x.seq) as unread
        from memberships m
        left join messages x on x.room_id = m.room_id and x.seq > m.last_read_seq
         and x.kind = 'text' and x.deleted_at is null and x.sender_id <> m.user_id
       group by m.user_id, m.room_id`;
    const listed = asked.flatMap(({ entries }, ask) =>
      entries.map(({ roomId, json }) => `${people[ask]} ${roomId} ${JSON.parse(json ?? "{}").unreadCount}`),
    );
    const counted = recount.map((row) => `${row.user_id} ${row.room_id} ${row.unread}`);
    expect(listed.sort()).toEqual(counted.sort());
  });

  test("looks alive: hot rooms, all three kinds, all sorts of messages and read markers", async () => {
    const { sql } = database;
    const [seen] = await sql`
      select (select max(last_seq) > 5 * percentile_cont(0.5) within group (order by last_seq) from rooms) as hot,
             (select count(distinct kind) = 3 from rooms) as kinds,
             (select bool_and(exists (select from memberships where user_id = ${demo} and room_id = r.id))
                from rooms r where kind <> 'direct') as demo_everywhere,
             (select count(*) from messages where deleted_at is not null) as deleted,
             (select count(*) from messages where kind = 'system') as system,
             (select count(*) > 50 from messages where edited_at is not null) as edited,
             (select count(*) > 10 from messages where char_length(body) > 300) as long,
             (select count(*) > 10 from messages where body like '%https://example.com/%') as links,
             (select count(*) > 10 from mentions where user_id = ${demo}) as demo_mentioned,
             (select avg((last_read_seq = last_seq)::int)::float8 from memberships m join rooms r on r.id = m.room_id) as caught_up,
             (select avg((last_read_seq = 0)::int)::float8 from memberships) as never`;
    const { deleted, system, caught_up, never, ...looks } = seen as Record<string, unknown>;
    expect(Object.entries(looks).filter(([, is]) => is !== true)).toEqual([]);
    for (const count of [deleted, system]) {
      expect(count).toBeGreaterThan(25); // about 1 % of 5,000
      expect(count).toBeLessThan(100);
    }
    expect(caught_up).toBeWithin(0.5, 0.7);
    expect(never).toBeWithin(0.05, 0.2);
  });

  test("filled a second time is left as it is", async () => {
    const before = await fingerprint(database);
    expect(await fillOf(database)).toMatchObject({ isNew: false, fill: { handle: "demo", users: 50 } });
    expect(await fillOf(database, { ...SIZE, seed: 2 })).toMatchObject({ isNew: false, fill: { seed: 1 } });
    expect(await fingerprint(database)).toBe(before);
  });
});

test("the same seed gives the same data, another seed other data", async () => {
  const [once, again, other] = await Promise.all(
    [1, 1, 2].map((seed) =>
      withFresh(async (database) => {
        await fillOf(database, { ...SIZE, seed });
        return fingerprint(database);
      }),
    ),
  );
  expect(once).toHaveLength(96);
  expect(again).toBe(once as string);
  expect(other).not.toBe(once as string);
});

test("the smallest and the oddest sizes keep every rule", async () => {
  const sizes = [
    { users: 2, rooms: 1, messages: 0 },
    { users: 2, rooms: 30, messages: 7 },
    { users: 3, rooms: 600, messages: 900 },
    { users: 700, rooms: 2, messages: 3_000 },
  ];
  for (const size of sizes) {
    await withFresh(async (database) => {
      await fillOf(database, { ...size, seed: 7 });
      for (const [rule, broken] of Object.entries(RULES)) {
        expect({ size, rule, rows: [...(await database.sql.unsafe(broken))].slice(0, 3) }).toEqual({
          size,
          rule,
          rows: [],
        });
      }
      const [row] = await database.sql`
        select (select count(*) from messages) as messages, (select count(*) from rooms) as rooms,
               (select max(n) from (select count(*) as n from memberships group by user_id) x) as most`;
      expect(row).toMatchObject({ messages: size.messages, rooms: size.rooms });
      expect(row?.most).toBeLessThanOrEqual(500);
    });
  }
});

test("a database of real people is refused, and with --force they keep what they have", async () => {
  await withFresh(async (database) => {
    const { sql } = database;
    await sql`insert into users (handle, name) values ('ada', 'Ada Real'), ('demo', 'Demo Real')`;
    await sql`insert into rooms (kind, name) values ('open', 'real')`;
    await expect(fillOf(database)).rejects.toThrow(FillRefused);
    const [untouched] =
      await sql`select (select count(*) from users) as users, (select count(*) from rooms) as rooms`;
    expect(untouched).toEqual({ users: 2, rooms: 1 });

    const { fill: first } = await fillOf(database, SIZE, true);
    expect(first.handle).toBe("demo2");
    const { fill: second } = await fillOf(database, { ...SIZE, seed: 2 }, true);
    expect(second.handle).toBe("demo3");
    for (const broken of Object.entries(RULES).filter(([rule]) => !rule.startsWith("each room has"))) {
      expect({ rule: broken[0], rows: [...(await sql.unsafe(broken[1]))] }).toEqual({
        rule: broken[0],
        rows: [],
      });
    }
    const real =
      await sql`select name from users u where not exists (select from memberships where user_id = u.id) order by id`;
    expect(real.map((row) => row.name)).toEqual(["Ada Real", "Demo Real"]);
    // and the next real person and room get ids of their own
    await sql`insert into users (handle, name) values ('real', 'Real')`;
    await sql`insert into rooms (kind, name) values ('open', 'real too')`;
  });
});

test("a fill that is broken off leaves nothing, and the next one fills", async () => {
  for (const real of [false, true]) {
    await withFresh(async (database) => {
      const { sql } = database;
      if (real) {
        await sql`insert into rooms (kind, name, last_seq) values ('open', 'real', 1)`;
        await sql`insert into messages (room_id, seq, sender_id, body) select id, 1, 1, 'real' from rooms`;
      }
      const kept = real ? 1 : 0;
      const told = new AbortController();
      const afterFirstBatch = { write: () => told.abort() };
      await expect(fillOf(database, SIZE, false, told.signal, afterFirstBatch)).rejects.toThrow("abort");
      const [row] = await sql`
        select (select count(*) from messages) as messages, (select count(*) from users) as users,
               (select count(*) from rooms) as rooms`;
      expect(row).toEqual({ messages: kept, users: 0, rooms: kept });
      expect(await fillOf(database)).toMatchObject({ isNew: true });
      const [after] = await sql`select count(*) as messages from messages`;
      expect(after?.messages).toBe(SIZE.messages + kept);
    });
  }
});

/** Whether words can be searched for, and the migration for it is recorded. */
async function searchable({ sql }: TestDatabase) {
  const [row] = await sql`
    select (select count(*) from pg_index where indexrelid = to_regclass('messages_search') and indisvalid) as index,
           (select count(*) from migrations where name = '0005_search.sql') as migration`;
  return row;
}
const SEARCHABLE = { index: 1, migration: 1 };

test("the index of words is there when a fill has ended, was told to stop, or was killed and something starts again", async () => {
  await withFresh(async (database) => {
    const told = new AbortController();
    const stop = { write: () => told.abort() };
    await expect(fillOf(database, SIZE, false, told.signal, stop)).rejects.toThrow("abort");
    expect(await searchable(database)).toEqual(SEARCHABLE);

    const killed = {
      write() {
        throw new Error("killed");
      },
    };
    await expect(fillOf(database, SIZE, false, running, killed)).rejects.toThrow("killed");
    expect(await searchable(database)).toEqual({ index: 0, migration: 0 }); // so it was not in the way
    expect((await migrate(database.target)).ran).toEqual(["0005_search.sql"]); // as a server does that starts
    expect(await searchable(database)).toEqual(SEARCHABLE);

    const { demoUserId } = (await fillOf(database)).fill;
    expect(await searchable(database)).toEqual(SEARCHABLE);
    const { messages } = await searchMessages(database.sql, demoUserId, { q: "the", limit: 100 });
    expect(messages).toHaveLength(100);

    // Where there are rooms, people search them meanwhile.
    await expect(fillOf(database, { ...SIZE, seed: 2 }, true, running, killed)).rejects.toThrow("killed");
    expect(await searchable(database)).toEqual(SEARCHABLE);
  });
});

test("of two fills at once, one is refused", async () => {
  await withFresh(async (database) => {
    const fills = await Promise.allSettled([fillOf(database), fillOf(database)]);
    const refused = fills.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    expect(refused).toEqual([expect.any(FillRefused)]);
  });
});

describe("the command line", () => {
  test("refuses a wrong value with the option's name and what it takes", () => {
    const wrong = [
      ["--users=1", "--users=1: takes a whole number from 2 to"],
      ["--users=many", "--users=many: takes a whole number"],
      ["--rooms=0", "--rooms=0: takes a whole number from 1 to"],
      ["--messages=1e6", "--messages=1e6: takes a whole number"],
      ["--messages=-5", "--messages=-5: takes"],
      ["--seed=", "--seed=: takes a whole number"],
      ["--rate=0", "--rate=0: takes a number"],
      ["--rate=fast", "--rate=fast: takes a number"],
      ["--seconds=0", "--seconds=0: takes a whole number from 1"],
      ["--url=localhost", "--url=localhost: takes an address"],
      ["--password=short", "--password: takes 8 to 256 characters"],
      ["--talk=yes", "--talk"],
      ["--user=5", "--user"],
      ["--users", "--users"],
      ["5", "5"],
    ] as const;
    for (const [argument, message] of wrong) {
      const refuse = () => readOptions([argument]);
      expect(refuse).toThrow(OptionError);
      expect(refuse).toThrow(message);
      expect(refuse).not.toThrow("\n");
    }
  });

  test("takes what it offers, and knows what is left out", () => {
    expect(readOptions([])).toEqual({
      users: 200,
      rooms: 50,
      messages: 20_000,
      seed: 1,
      rate: 2,
      seconds: null,
      password: null,
      url: null,
      force: false,
      talk: false,
      help: false,
    });
    expect(
      readOptions(["--messages", "10000000", "--rate=0.5", "--talk", "--url", "https://chat.example.com/"]),
    ).toMatchObject({ messages: 10_000_000, rate: 0.5, talk: true, url: "https://chat.example.com" });
  });

  test("a wrong option ends it with status 2 and one line", async () => {
    const run = Bun.spawn(["bun", "src/demo/main.ts", "--users=none"], { stderr: "pipe", stdout: "pipe" });
    expect(await run.exited).toBe(2);
    expect(await new Response(run.stderr).text()).toBe(
      "demo: --users=none: takes a whole number from 2 to 1000000\n",
    );
    expect(await new Response(run.stdout).text()).toBe("");
  });
});

test("the session that it prints can be pasted, whatever the password", async () => {
  const password = `it's "quoted" $HOME \\`;
  const line = session("http://127.0.0.1:1", "demo", password)
    .split("\n")
    .find((text) => text.includes("-d "));
  const shell = Bun.spawn(["sh", "-c", `curl() { printf "%s\\n" "$@"; }; ${line}`], {
    stdout: "pipe",
  });
  const words = (await new Response(shell.stdout).text()).split("\n");
  expect(JSON.parse(words[words.indexOf("-d") + 1] as string)).toEqual({ handle: "demo", password });
});

test("progress is a bar on a terminal and lines elsewhere", () => {
  const written = (isTTY: boolean) => {
    let text = "";
    const progress = new Progress("messages", 1_000, {
      isTTY,
      write: (some) => {
        text += some;
      },
    });
    for (const done of [250, 500, 1_000]) progress.to(done);
    return text;
  };
  expect(written(true)).toMatch(
    /^\rmessages \[-{24}\] 0 %.*\rmessages \[#{24}\] 100 % {2}1,000 of 1,000.*\n$/s,
  );
  expect(written(false)).toMatch(
    /^messages \[#{6}-{18}\] 25 % {2}250 of 1,000 .* left\nmessages \[#{24}\] 100 %.*\n$/,
  );
});

describe("people who talk", () => {
  test("move the list of the account whose sign-in is printed, and leave no token behind", async () => {
    const server = await testServer();
    const demo = Bun.spawn(
      [
        "bun",
        "src/demo/main.ts",
        "--users=20",
        "--rooms=8",
        "--messages=300",
        "--talk",
        "--rate=50",
        `--url=${server.url}`,
      ],
      { env: { ...process.env, DATABASE_URL: server.database.url }, stdout: "pipe", stderr: "pipe" },
    );
    try {
      let printed = "";
      const talking = Promise.withResolvers<void>();
      const output = (async () => {
        for await (const chunk of demo.stdout.pipeThrough(new TextDecoderStream())) {
          printed += chunk;
          if (printed.includes("Talking through")) talking.resolve();
        }
        talking.reject(new Error(`it ended: ${printed} ${await new Response(demo.stderr).text()}`));
      })();
      await talking.promise;
      const credentials = /-d '(\{.*\})'/.exec(printed)?.[1] as string;
      const signedIn = await fetch(`${server.api}/session`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: credentials,
      });
      expect(signedIn.status).toBe(200);
      const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] as string;
      const stream = await EventReader.open(`${server.api}/stream/rooms`, { cookie });
      await stream.event("rooms", 5);
      stream.close();

      demo.kill("SIGINT");
      expect(await demo.exited).toBe(0);
      await output.catch(() => {});
      await talking.promise;
      const { sql } = server.database;
      const [left] = await sql`
        select (select count(*) from tokens) as tokens, (select count(*) from messages) as messages`;
      const said = printed.match(/^[#@]\S+ \w+: /gm) ?? [];
      expect(left?.tokens).toBe(0);
      expect(printed).toContain(`Sent ${said.length} messages into `);
      expect(left?.messages - 300 - said.length).toBeWithin(0, 2); // one may have been under way when it was told to stop
    } finally {
      demo.kill("SIGKILL");
      await server.close();
    }
  }, 30_000);

  test("wait for a server that is away, and go on when it is back", async () => {
    const database = await freshDatabase();
    const { fill: filled } = await fillOf(database, { users: 20, rooms: 8, messages: 300, seed: 1 });
    const stages = await gather(database.sql, filled);
    let server = await testServer({}, database);
    const told = new AbortController();
    const lines: string[] = [];
    let heard: () => void = () => {};
    const say = (line: string) => {
      lines.push(line);
      heard();
    };
    const until = async (condition: () => boolean) => {
      while (!condition()) await new Promise<void>((resolve) => (heard = resolve));
    };
    const { url } = server;
    const talked = talk(stages, { url, rate: 50, handle: filled.handle, signal: told.signal, say });
    try {
      await until(() => lines.length > 3);
      await server.stop();
      await until(() => lines.some((line) => line.includes("is away") || line.includes("answers 503")));
      server = await testServer({ PORT: new URL(url).port }, database);
      await until(() => lines.some((line) => line.includes("is back")));
      const before = lines.length;
      await until(() => lines.length > before + 3);
      told.abort();
      const { sent } = await talked;
      const spoken = lines.filter((line) => /^[#@]/.test(line)).length;
      expect(sent).toBe(spoken);
      expect(lines.length - spoken).toBe(2); // one line when it goes, one when it is back

      // A talk that was killed left its tokens: the next one replaces them.
      const tokens = async () => (await database.sql`select count(*) as count from tokens`)[0]?.count;
      const left = await tokens();
      expect(left).toBeGreaterThan(0);
      const next = await gather(database.sql, filled);
      expect(await tokens()).toBe(left);
      // Without them people stop talking, and say why.
      await dismiss(database.sql, filled);
      expect(await tokens()).toBe(0);
      const silenced = talk(next, { url, rate: 50, handle: filled.handle, signal: running, say });
      await expect(silenced).rejects.toThrow(TalkRefused);
    } finally {
      told.abort();
      await server.close();
      await database.drop();
    }
  }, 30_000);
});
