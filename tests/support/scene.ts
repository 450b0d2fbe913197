import { Client } from "./client.ts";
import type { EventReader } from "./events.ts";
import { type TestServer, testServer } from "./server.ts";

/** When the pictures are taken, by the browsers' clocks. */
export const NOW = new Date("2026-03-12T09:24:00.000Z");

const PEOPLE = {
  maya: "Maya",
  ines: "Inès",
  jonas: "Jonas",
  priya: "Priya",
  tomas: "Tomás",
  lin: "Lin",
} as const;
type Who = keyof typeof PEOPLE;

/** Minutes before NOW, who, what; and what happened to it. */
type Line = [
  minutes: number,
  who: Who,
  body: string,
  then?: {
    /** A line before, counted from 0. */
    replyTo?: number;
    edited?: string;
    deleted?: true;
    reactions?: [emoji: string, ...by: Who[]][];
    /** Maya has read as far as this. */
    read?: true;
  },
];

interface Talk {
  name: string | null;
  kind: "open" | "closed" | "direct";
  topic?: string;
  members: Who[];
  lines: Line[];
}

const DAY = 24 * 60;

const TALKS: Talk[] = [
  {
    name: "lunch",
    kind: "open",
    topic: "Today’s menu, and who comes along",
    members: ["maya", "jonas", "lin", "tomas"],
    lines: [
      [2 * DAY, "lin", "Noodles at noon?"],
      [2 * DAY - 4, "tomas", "Always.", { reactions: [["🍜", "lin", "jonas", "maya"]], read: true }],
      [75, "jonas", "The bakery has its almond cake again"],
      [73, "lin", "Then we know where we are at four"],
    ],
  },
  {
    name: "general",
    kind: "open",
    topic: "What everybody should know",
    members: ["maya", "ines", "jonas", "priya", "tomas", "lin"],
    lines: [
      [
        4 * DAY,
        "priya",
        "Welcome, Lin! Lin joins us from the Lisbon team.",
        {
          reactions: [
            ["👋", "maya", "ines", "jonas"],
            ["🎉", "tomas"],
          ],
        },
      ],
      [4 * DAY - 9, "lin", "Thank you all. Glad to be here."],
      [DAY + 30, "jonas", "The office is closed on Monday: https://example.com/calendar", { read: true }],
    ],
  },
  {
    name: "support",
    kind: "open",
    topic: "What people write to us",
    members: ["maya", "ines", "jonas", "priya", "tomas"],
    lines: [
      [190, "tomas", "Anybody seen this before?", { read: true }],
      ...Array.from(
        { length: 23 },
        (_, i): Line => [
          180 - 6 * i,
          (["tomas", "priya", "jonas"] as const)[i % 3] ?? "tomas",
          [
            "A customer cannot find the export.",
            "Told them where it is; maybe the button is too shy.",
            "Solved, they are happy.",
            "The next one asks for an invoice of last year.",
          ][i % 4] as string,
        ],
      ),
    ],
  },
  {
    name: null,
    kind: "direct",
    members: ["maya", "jonas"],
    lines: [
      [DAY - 190, "jonas", "Can you look at my branch when you have a minute?"],
      [DAY - 180, "maya", "Done. Two small things, else good to go.", { read: true }],
    ],
  },
  {
    name: null,
    kind: "direct",
    members: ["maya", "priya", "tomas"],
    lines: [
      [3 * DAY, "priya", "Shall we meet before the review?"],
      [3 * DAY - 2, "tomas", "Nine is fine for me", { read: true }],
    ],
  },
  {
    name: "design",
    kind: "open",
    topic: "Screens, words, colours",
    members: ["maya", "ines", "lin"],
    lines: [
      [DAY + 70, "ines", "The new icons are in the folder. The door is now a bit rounder."],
      [DAY + 64, "maya", "Much better at 16 pixels.", { reactions: [["❤️", "ines"]], read: true }],
      [51, "lin", "I tried the dark colours on an old phone: the grey of the times is hard to read."],
    ],
  },
  {
    name: null,
    kind: "direct",
    members: ["maya", "ines"],
    lines: [
      [DAY - 90, "maya", "How was the train?"],
      [DAY - 85, "ines", "Two hours late, but I finished the chapter", { read: true }],
      [12, "ines", "Do you have five minutes before the launch call?"],
    ],
  },
  {
    name: "launch",
    kind: "closed",
    topic: "Version 2.0 goes out on Thursday",
    members: ["maya", "ines", "jonas", "priya", "tomas"],
    lines: [
      [
        DAY - 300,
        "priya",
        "Here is the plan for Thursday:\n\n1. Freeze at 9:00\n2. Jonas runs the migration on staging\n3. Go at 11:00, if nobody says no",
      ],
      [
        DAY - 294,
        "jonas",
        "Migration takes about four minutes on a copy of production.",
        { reactions: [["👍", "priya", "maya", "tomas"]] },
      ],
      [DAY - 292, "jonas", "I wrote it down: https://example.com/wiki/migration-2.0"],
      [DAY - 280, "tomas", "wrong room, sorry", { deleted: true }],
      [DAY - 270, "maya", "What if it takes longer?"],
      [
        DAY - 264,
        "jonas",
        "Then we stop and nobody notices: the old version keeps running until the new one is ready.",
        { replyTo: 4 },
      ],
      [
        44,
        "ines",
        "The release notes are translated. Could somebody read the French once more?",
        { edited: "The release notes are translated. Could somebody read the French ones once more?" },
      ],
      [41, "maya", "On it.", { reactions: [["🙏", "ines"]], read: true }],
      [
        19,
        "tomas",
        "Staging is green since 8:50:\n\n```\n$ foyer check --env staging\n412 passed, 0 failed\n```",
      ],
      [17, "priya", "Lovely. @maya are you done with the French? Then I send the mail."],
      [
        6,
        "jonas",
        "Migration on staging: 3 min 48 s. No surprises.",
        {
          reactions: [
            ["🎉", "ines", "tomas"],
            ["🚀", "priya"],
          ],
        },
      ],
    ],
  },
];

/** A server with a few people in the middle of a working day; the same each time. */
export interface Scene {
  server: TestServer;
  /** Whose eyes we look through. */
  maya: Client;
  people: Record<Who, Client>;
  /** The id of the room of that name, or of the direct room with that person. */
  room(name: string): number;
  /** Puts Maya's read markers back. */
  unread(): Promise<void>;
  close(): Promise<void>;
}

export async function setScene(): Promise<Scene> {
  const server = await testServer();
  const people = {} as Record<Who, Client>;
  for (const [who, name] of Object.entries(PEOPLE) as [Who, string][]) {
    people[who] = await Client.signUp(server.api, who);
    await people[who].must("PATCH", "/users/me", { name });
  }
  const rooms = new Map<string, number>();
  for (const talk of TALKS) {
    const id = await play(talk, people, server);
    rooms.set(talk.name ?? talk.members.filter((who) => who !== "maya").join(" "), id);
  }
  const { sql } = server.database;
  await sql`create table as_it_was as select * from memberships where user_id = ${people.maya.user.id}`;
  const watching: EventReader[] = [];
  for (const who of ["ines", "priya", "tomas"] as const) watching.push(await people[who].stream()); // online
  return {
    server,
    maya: people.maya,
    people,
    room(name) {
      const id = rooms.get(name);
      if (id === undefined) throw new Error(`no room ${name}`);
      return id;
    },
    async unread() {
      await sql`
        update memberships m set last_read_seq = w.last_read_seq, version = pg_current_xact_id()
          from as_it_was w
         where (m.user_id, m.room_id) = (w.user_id, w.room_id) and m.last_read_seq <> w.last_read_seq`;
    },
    async close() {
      for (const stream of watching) stream.close();
      await server.close();
    },
  };
}

/** Has a talk, and then lets it have been at its times. @returns the room's id */
async function play(talk: Talk, people: Record<Who, Client>, { database }: TestServer): Promise<number> {
  const { name, kind, topic, members, lines } = talk;
  const owner = people[members.at(-1) as Who];
  const { id } = await owner.must<{ id: number }>("POST", "/rooms", {
    kind,
    ...(name === null ? {} : { name, topic }),
    members: members.map((who) => people[who].user.id),
  });
  const { sql } = database;
  const at = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000);
  const seqs: number[] = [];
  for (const [minutes, who, body, then = {}] of lines) {
    const { replyTo, edited, deleted, reactions = [], read } = then;
    const { seq } = await people[who].send(id, body, {
      replyTo: replyTo === undefined ? undefined : seqs[replyTo],
    });
    seqs.push(seq);
    const path = `/rooms/${id}/messages/${seq}`;
    if (edited) await people[who].must("PATCH", path, { body: edited });
    if (deleted) await people[who].must("DELETE", path);
    for (const [emoji, ...by] of reactions) {
      for (const fan of by) await people[fan].must("PUT", `${path}/reactions/${encodeURIComponent(emoji)}`);
    }
    if (read) await people.maya.must("PUT", `/rooms/${id}/read`, { seq });
    await sql`
      update messages
         set created_at = ${at(minutes)},
             edited_at = case when edited_at is not null then ${at(minutes - 1)}::timestamptz end,
             deleted_at = case when deleted_at is not null then ${at(minutes - 1)}::timestamptz end
       where room_id = ${id} and seq = ${seq}`;
  }
  // Nobody has a cursor yet: the versions may stay as they are.
  await sql`
    update rooms r
       set created_at = ${at((lines[0]?.[0] ?? 0) + 5)}, last_message_at = m.created_at, last_message_edited_at = m.edited_at
      from messages m
     where r.id = ${id} and m.room_id = r.id and m.seq = r.last_message_seq`;
  return id;
}
