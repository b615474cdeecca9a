import * as z from "zod";
import type { DatabaseLocale, TableRows } from "../backups/backup-manifest.ts";

/** Says as one line what a database is; the JSON is {@link databaseFacts}. */
export const factsStatement = `SELECT json_build_object(
  'version', current_setting('server_version'),
  'number', current_setting('server_version_num')::int,
  'bytes', pg_database_size(current_database()),
  'encoding', pg_encoding_to_char(d.encoding),
  'preload', (SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries'),
  'row', row_to_json(d))
FROM pg_database d WHERE d.datname = current_database()`.replaceAll("\n", " ");

const databaseFacts = z.object({
  version: z.string(),
  number: z.number().int(),
  bytes: z.number(),
  encoding: z.string(),
  /** Null where the user may not know. */
  preload: z.string().nullable(),
  /** Of pg_database; its columns differ from version to version. */
  row: z.object({
    datcollate: z.string(),
    datctype: z.string(),
    datlocprovider: z.string().default("c"),
    daticulocale: z.string().nullish(),
    datlocale: z.string().nullish(),
  }),
});

/** What a database and its server are. */
export interface DatabaseFacts {
  readonly version: string;
  readonly major: number;
  readonly bytes: number;
  readonly locale: DatabaseLocale;
  readonly preload: string;
}

export function parseFacts(line: string): DatabaseFacts {
  const { version, number, bytes, encoding, preload, row } = databaseFacts.parse(JSON.parse(line));
  const providerLocale = row.datlocale ?? row.daticulocale ?? undefined;
  const locale = { encoding, collate: row.datcollate, ctype: row.datctype, provider: row.datlocprovider };
  return {
    version,
    major: Math.floor(number / 10_000),
    bytes,
    locale: { ...locale, ...(providerLocale !== undefined && { providerLocale }) },
    preload: preload ?? "",
  };
}

/**
 * Tables whose rows a dump has: ordinary ones and the parts of partitioned ones, none that an extension brings along
 * (those are made anew with the extension), as JSON lines.
 */
export const tablesStatement = `SELECT json_build_object('schema', n.nspname, 'name', c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
  AND NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname`.replaceAll("\n", " ");

const tableName = z.strictObject({ schema: z.string(), name: z.string() });
export type TableName = z.infer<typeof tableName>;

export function parseTables(lines: readonly string[]): TableName[] {
  return lines.map((line) => tableName.parse(JSON.parse(line)));
}

/** One statement a table, each of which gives one line. */
export function countStatements(tables: readonly TableName[]): string[] {
  return tables.map(({ schema, name }) => `SELECT count(*) FROM ONLY ${identifier(schema)}.${identifier(name)}`);
}

/** Keeps tables from being emptied, changed or dropped while the transaction lasts; rows come and go as ever. */
export function lockStatements(tables: readonly TableName[]): string[] {
  return tables.map(
    ({ schema, name }) => `LOCK TABLE ONLY ${identifier(schema)}.${identifier(name)} IN ACCESS SHARE MODE`,
  );
}

export function withCounts(tables: readonly TableName[], lines: readonly string[]): TableRows[] {
  if (lines.length !== tables.length) throw new Error(`${lines.length} counts of ${tables.length} tables`);
  return tables.map((each, at) => ({ ...each, rows: z.coerce.number().int().parse(lines[at]) }));
}

/** A name as SQL has it, whatever is in it. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as SQL has it, whatever is in it. */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes("\\") ? ` E${quoted.replaceAll("\\", "\\\\")}` : quoted;
}

/** Makes an empty database that a dump of such a one fits into. */
export function createDatabaseStatement(name: string, locale: DatabaseLocale, owner?: string): string {
  const { encoding, collate, ctype, provider, providerLocale } = locale;
  const words = { i: ["icu", "ICU_LOCALE"], b: ["builtin", "BUILTIN_LOCALE"] }[provider];
  const special =
    words === undefined || providerLocale === undefined
      ? ""
      : ` LOCALE_PROVIDER ${words[0] ?? ""} ${words[1] ?? ""} ${literal(providerLocale)}`;
  const owned = owner === undefined ? "" : ` OWNER ${identifier(owner)}`;
  return `CREATE DATABASE ${identifier(name)} TEMPLATE template0 ENCODING ${literal(encoding)} LC_COLLATE ${literal(collate)} LC_CTYPE ${literal(ctype)}${special}${owned}`;
}

/** What differs between the tables of a backup and those of the database that it was restored into; empty where nothing does. */
export function differentTables(wanted: readonly TableRows[], found: readonly TableRows[]): string[] {
  const key = ({ schema, name }: TableName): string => `${schema}.${name}`;
  const rows = new Map(found.map((each) => [key(each), each.rows]));
  const changed = wanted.flatMap((each) => {
    const has = rows.get(key(each));
    rows.delete(key(each));
    if (has === each.rows) return [];
    return [
      `${key(each)} ${has === undefined ? "is missing" : `has ${has} rows`}, the backup was taken with ${each.rows}`,
    ];
  });
  return [...changed, ...[...rows.keys()].map((name) => `${name} is not in the backup`)];
}
