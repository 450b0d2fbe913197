import { Glob } from "bun";
import { run } from "./programs.ts";

/** What benches use besides Bun. */
export type Tool = "wrk" | "pgbench" | "node" | "nchan" | "flask";

/** By the Debian package that brings it: a program, or files that are there then. */
const PACKAGES: Record<Tool, Record<string, { program?: string; files?: string[] }>> = {
  wrk: { wrk: { program: "wrk" } },
  pgbench: { "postgresql-15": { program: "pgbench", files: ["/usr/lib/postgresql/*/bin/pgbench"] } },
  node: { nodejs: { program: "node" } },
  nchan: {
    "libnginx-mod-nchan": { files: ["/usr/sbin/nginx", "/usr/lib/nginx/modules/ngx_nchan_module.so"] },
  },
  flask: {
    gunicorn: { program: "gunicorn" },
    "python3-flask": { files: ["/usr/lib/python3/dist-packages/flask/__init__.py"] },
    "python3-sqlalchemy": { files: ["/usr/lib/python3/dist-packages/sqlalchemy/__init__.py"] },
    "python3-psycopg2": { files: ["/usr/lib/python3/dist-packages/psycopg2/__init__.py"] },
  },
};
/** What Fastify 5 runs on. */
const LEAST_NODE = 20;

/**
 * What is missing on this machine.
 * @returns null, or a line for whoever wants to measure
 */
export async function complaint(tools: Set<Tool>): Promise<string | null> {
  const missing: string[] = [];
  for (const tool of tools) {
    for (const [name, { program, files = [] }] of Object.entries(PACKAGES[tool])) {
      const there = program === undefined || Bun.which(program) !== null;
      if (!there || !(await Promise.all(files.map(exists))).every(Boolean)) missing.push(name);
    }
  }
  if (missing.length > 0) {
    return `programs are missing that Foyer is measured with. On Debian: sudo apt-get install ${missing.join(" ")}`;
  }
  if (!tools.has("node")) return null;
  const version = (await run(["node", "--version"])).trim();
  const tooOld = Number.parseInt(version.slice(1), 10) < LEAST_NODE;
  return tooOld ? `Node ${version} is too old for Fastify 5: ${LEAST_NODE} or later` : null;
}

async function exists(pattern: string): Promise<boolean> {
  for await (const _ of new Glob(pattern.slice(1)).scan({ cwd: "/", onlyFiles: true })) return true;
  return false;
}
