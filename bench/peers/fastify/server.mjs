/**
 * The room list as one would write it with Fastify and `pg`: Foyer's own SQL, which makes the JSON of
 * each room, prepared by name.
 * DATABASE_URL and PORT as with Foyer; LIST_SQL is the file of the query.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import Fastify from "fastify";
import pg from "pg";

/** As Foyer: a token is believed for so long (ms) without another look, and the pool has so many connections. */
const BELIEVED_MS = 5_000;
const POOL = 10;

const LIST = readFileSync(process.env.LIST_SQL, "utf8");
const CALLER = `
  select t.user_id as id from tokens t join users u on u.id = t.user_id and u.deactivated_at is null
   where t.secret_hash = $1`;

pg.types.setTypeParser(pg.types.builtins.INT8, Number);
const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: POOL,
  application_name: "fastify",
  options: "-c search_path=foyer -c jit=off",
});

const remembered = new Map();

/** Whose bearer token the request has; undefined: nobody's. */
async function callerOf(request) {
  const [, token] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? "") ?? [];
  if (!token) return undefined;
  const hash = createHash("sha256").update(token).digest();
  const key = hash.toString("base64");
  const known = remembered.get(key);
  if (known && known.until > Date.now()) return known.id;
  const { rows } = await pool.query({ name: "caller", text: CALLER, values: [hash] });
  if (rows.length === 0) return undefined;
  remembered.set(key, { id: rows[0].id, until: Date.now() + BELIEVED_MS });
  return rows[0].id;
}

/** What the query answers, as the API tells it: each room is JSON already. */
const answerOf = ([{ xmin, rooms }]) =>
  `{"cursor":"${xmin}","rooms":[${rooms?.replaceAll("\n", ",") ?? ""}],"left":[],"reset":true}`;

const app = Fastify({ logger: false });

app.get("/chat/api/rooms", async (request, reply) => {
  const id = await callerOf(request);
  if (id === undefined) return reply.code(401).send({ title: "Who are you?" });
  const { rows } = await pool.query({
    name: "list",
    text: LIST,
    values: [`{${id}}`, "{null}", "{null}", false, null, null],
  });
  return reply.type("application/json; charset=utf-8").send(answerOf(rows));
});

app.get("/health/ready", async () => {
  await pool.query("select 1");
  return { status: "ok" };
});

await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
process.on("SIGTERM", async () => {
  await app.close();
  await pool.end();
  process.exit(0);
});
