import type { Sql } from "../../src/db/client.ts";

/** Counts the statements of a client: how many have begun, are under way, and were so at most at a time. */
export function watched(sql: Sql): { sql: Sql; begun: number; now: number; most: number } {
  const counts = { sql, begun: 0, now: 0, most: 0 };
  const begin = () => {
    counts.begun++;
    counts.most = Math.max(counts.most, ++counts.now);
  };
  const end = () => {
    counts.now--;
  };
  /** A statement begins when it is first awaited; a fragment never is. */
  function watch(statement: Statement): Statement {
    if (typeof statement.handle !== "function") return statement;
    const { handle } = statement;
    let began = false;
    statement.handle = () => {
      if (!began) {
        began = true;
        begin();
        Promise.prototype.then.call(statement, end, end);
      }
      return handle.call(statement);
    };
    return statement;
  }
  counts.sql = new Proxy(sql, {
    apply: (target, _self, args: Parameters<Sql>) =>
      watch((target as (...args: Parameters<Sql>) => unknown)(...args) as Statement),
    get(target, name) {
      if (name !== "unsafe") return Reflect.get(target, name);
      return (...args: Parameters<Sql["unsafe"]>) => watch(target.unsafe(...args) as unknown as Statement);
    },
  });
  return counts;
}

/** What a statement of postgres.js is underneath (its src/query.js). */
interface Statement extends Promise<unknown> {
  handle?(): Promise<void>;
}
