import type { TestDatabase } from "./database.ts";

/** What changes by itself: who is here, and when something was last used. */
const RESTLESS = { tables: ["servers", "presence"], columns: /seen|used/ };

/** All that a database holds, table by table, for a test that nothing was done. */
export async function contentsOf({ sql }: TestDatabase): Promise<Record<string, string[]>> {
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'foyer' and table_type = 'BASE TABLE' order by 1`;
  const contents: Record<string, string[]> = {};
  for (const { name } of tables) {
    if (RESTLESS.tables.includes(name)) continue;
    const rows = await sql<{ row: object }[]>`select to_jsonb(t) as row from ${sql(`foyer.${name}`)} t`;
    contents[name] = rows
      .map(({ row }) =>
        JSON.stringify(
          Object.fromEntries(Object.entries(row).filter(([key]) => !RESTLESS.columns.test(key))),
        ),
      )
      .sort();
  }
  return contents;
}
