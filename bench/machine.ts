import { cpus, totalmem } from "node:os";
import { run } from "./programs.ts";
import type { Tool } from "./tools.ts";

/** What the figures were measured on, and with which versions of what was used: lines of `name: value`. */
export async function describeMachine(postgres: string, tools: Set<Tool>): Promise<[string, string][]> {
  const [cpu] = cpus();
  const versionOf = async (command: string[], pattern = /(\d+\.\d+[\w.]*)/) =>
    pattern.exec(await run(command).catch(() => ""))?.[1] ?? "none";
  const debian = (name: string) =>
    run(["dpkg-query", "-W", "-f", "$" + "{Version}", name]).catch(() => "none");
  const fastify = JSON.parse(
    await Bun.file(new URL("peers/fastify/package.json", import.meta.url)).text(),
  ).dependencies;
  return [
    [
      "Machine",
      `${cpus().length} × ${cpu?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${await run(["uname", "-sr"]).then((line) => line.trim())}`,
    ],
    ["Postgres", `${postgres}, as Foyer brings it along, fsync on`],
    ["Bun", Bun.version],
    ...(tools.has("node")
      ? [["Fastify", `${fastify.fastify}, pg ${fastify.pg}, Node ${await versionOf(["node", "--version"])}`]]
      : []),
    ...(tools.has("flask")
      ? [
          [
            "Flask",
            `${await debian("python3-flask")}, SQLAlchemy ${await debian("python3-sqlalchemy")}, psycopg2 ${await debian("python3-psycopg2")}, gunicorn ${await debian("gunicorn")}`,
          ],
        ]
      : []),
    ...(tools.has("nchan")
      ? [["Nchan", `${await debian("libnginx-mod-nchan")}, nginx ${await debian("nginx")}`]]
      : []),
    ...(tools.has("wrk") ? [["wrk", await debian("wrk")]] : []),
    ...(tools.has("pgbench") ? [["pgbench", await versionOf(["pgbench", "--version"])]] : []),
  ] as [string, string][];
}
