/** What the benchmarks use besides Bun: each by the Debian package that brings it. */
const TOOLS: { program: string; package: string; paths?: string[] }[] = [
  { program: "wrk", package: "wrk" },
  { program: "pgbench", package: "postgresql-15" },
  { program: "node", package: "nodejs" },
  { program: "nginx", package: "libnginx-mod-nchan", paths: ["/usr/sbin/nginx"] },
  { program: "gunicorn", package: "gunicorn" },
];
const MODULES = [
  { path: "/usr/lib/nginx/modules/ngx_nchan_module.so", package: "libnginx-mod-nchan" },
  { path: "/usr/lib/python3/dist-packages/flask/__init__.py", package: "python3-flask" },
  { path: "/usr/lib/python3/dist-packages/sqlalchemy/__init__.py", package: "python3-sqlalchemy" },
  { path: "/usr/lib/python3/dist-packages/psycopg2/__init__.py", package: "python3-psycopg2" },
];

/** The Debian packages that are missing on this machine. */
export async function missingPackages(): Promise<string[]> {
  const missing = new Set<string>();
  for (const { program, package: name, paths = [] } of TOOLS) {
    const there = Bun.which(program) ?? (await firstOf(paths));
    if (!there) missing.add(name);
  }
  for (const { path, package: name } of MODULES) if (!(await firstOf([path]))) missing.add(name);
  return [...missing];
}

async function firstOf(paths: string[]): Promise<string | undefined> {
  for (const path of paths) if (await Bun.file(path).exists()) return path;
  return undefined;
}
