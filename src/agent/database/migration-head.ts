import { identifier } from "./database-facts.ts";

/** Where tools that change schemas write down what they have applied: the column that sorts as it was applied. */
const histories = [
  { schema: "supabase_migrations", table: "schema_migrations", column: "version" },
  { schema: "public", table: "schema_migrations", column: "version" },
] as const;

/** The last migration that a database has had; undefined where it has no history of them that is known here. */
export async function migrationHead(
  ask: (statements: readonly string[]) => Promise<readonly string[]>,
): Promise<string | undefined> {
  for (const { schema, table, column } of histories) {
    const exists = `SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('${schema}.${table}') AND attname = '${column}'`;
    const [found] = await ask([exists]);
    if (found !== "1") continue;
    const [head = ""] = await ask([`SELECT max(${identifier(column)}::text) FROM ${schema}.${table}`]);
    if (head !== "") return head;
  }
  return undefined;
}
