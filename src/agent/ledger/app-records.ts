import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { Logger } from "pino";
import * as z from "zod";
import { appName } from "../../core/release/release-spec.ts";
import { writeDurably } from "../durable-file.ts";
import { Mutex } from "../edge/mutex.ts";
import type { Vault } from "./vault.ts";

/** What the ledger knows of an app; each has a column `app`. Operations and their events are not kept. */
const tables = ["generations", "parts", "deployments", "withdrawn", "images", "volumes"] as const;
type Table = (typeof tables)[number];

const sealed = z.strictObject({ sealed: z.base64() });
const row = z.record(z.string(), z.union([z.string(), z.number(), z.null(), sealed]));
type Row = z.infer<typeof row>;

const appRecord = z.object({
  format: z.literal(1),
  app: appName,
  tables: z.partialRecord(z.enum(tables), z.array(row)),
});
/** The rows of the ledger that are about one app. What is sealed there is sealed here. */
export type AppRecord = z.infer<typeof appRecord>;

/**
 * The ledger once more, as one file an app in a folder of its own (docs/adr/0011): what a ledger that is lost is rebuilt
 * from. Written before each phase of an operation is acted on, so before anything runs or serves that it does not tell of.
 */
export class AppRecords {
  readonly #folder: string;
  readonly #database: DatabaseSync;
  readonly #vault: Vault;
  readonly #log: Logger;
  readonly #turns = new Mutex();
  /** By app: hash of what was written last. */
  readonly #written = new Map<string, string>();

  constructor(folder: string, database: DatabaseSync, vault: Vault, log: Logger) {
    this.#folder = folder;
    this.#database = database;
    this.#vault = vault;
    this.#log = log;
  }

  /**
   * Brings the app's file up to date; on disk when this resolves. Never throws: the ledger has it all, and what could
   * not be written now is written with the next change, or by the sweep.
   */
  async keep(app: string): Promise<void> {
    try {
      await this.#turns.run(() => this.#write(app));
    } catch (error) {
      this.#log.error({ app, reason: String(error) }, "the app's record could not be written; it is tried again");
    }
  }

  /** The same for every app that the ledger knows. */
  async keepAll(): Promise<void> {
    for (const app of this.#apps()) await this.keep(app);
  }

  /** Whether the ledger knows of nothing at all: it is new. */
  isLedgerEmpty(): boolean {
    return this.#apps().length === 0;
  }

  /** All records that can be read. */
  async read(): Promise<AppRecord[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const found = names
      .filter((name) => name.endsWith(".json") && !name.startsWith("."))
      .map((name) => this.#readFile(join(this.#folder, name)));
    return (await Promise.all(found)).filter((each) => each !== undefined);
  }

  /**
   * Enters a record into the ledger. What was sealed with a key that is gone is left out: such a part is unknown, and
   * nothing can be rolled back to such a deployment.
   */
  restore(record: AppRecord): void {
    for (const table of tables) {
      const known = this.#columns(table);
      for (const each of record.tables[table] ?? []) {
        const values = this.#readable(table, each);
        if (values === undefined) continue;
        const columns = Object.keys(values).filter((column) => known.has(column));
        this.#database
          .prepare(
            `INSERT OR REPLACE INTO ${table} (${columns.map((column) => `"${column}"`).join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
          )
          .run(...columns.map((column) => values[column] ?? null));
      }
    }
  }

  async #write(app: string): Promise<void> {
    const found = this.#recordOf(app);
    const path = join(this.#folder, `${app}.json`);
    const text = found === undefined ? "" : `${JSON.stringify(found, undefined, 1)}\n`;
    const hash = createHash("sha256").update(text).digest("hex");
    if (this.#written.get(app) === hash) return;
    if (found === undefined) await rm(path, { force: true });
    else {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await chmod(this.#folder, 0o700);
      await writeDurably(path, text);
    }
    this.#written.set(app, hash);
  }

  #recordOf(app: string): AppRecord | undefined {
    const rows = tables.map((table): [Table, Row[]] => {
      const found = this.#database.prepare(`SELECT * FROM ${table} WHERE app = ? ORDER BY rowid`).all(app);
      return [table, found.map((each) => row.parse(withTextOfBytes({ ...each })))];
    });
    if (rows.every(([, { length }]) => length === 0)) return undefined;
    return appRecord.parse({ format: 1, app, tables: Object.fromEntries(rows) });
  }

  async #readFile(path: string): Promise<AppRecord | undefined> {
    try {
      return appRecord.parse(JSON.parse(await readFile(path, "utf8")));
    } catch (error) {
      this.#log.error({ path, reason: String(error) }, "an app's record cannot be read; it is left out");
      return undefined;
    }
  }

  /** The row as the ledger takes it; undefined where it is nothing without what was sealed. */
  #readable(table: Table, each: Row): Record<string, SQLInputValue> | undefined {
    const values = Object.fromEntries(
      Object.entries(each).map(([column, value]): [string, SQLInputValue] => [
        column,
        value !== null && typeof value === "object" ? Buffer.from(value.sealed, "base64") : value,
      ]),
    );
    const bytes = values["sealed"];
    if (!(bytes instanceof Uint8Array) || bytes.length === 0 || this.#vault.canUnseal(bytes)) return values;
    if (table === "parts") return undefined;
    const status = values["status"] === "good" ? { status: "pruned" } : {};
    return { ...values, sealed: new Uint8Array(), ...status };
  }

  #columns(table: Table): Set<string> {
    const found = this.#database.prepare("SELECT name FROM pragma_table_info(?)").all(table);
    return new Set(found.map((each) => z.object({ name: z.string() }).parse(each).name));
  }

  #apps(): string[] {
    const rows = this.#database
      .prepare(
        "SELECT app FROM generations UNION SELECT app FROM parts UNION SELECT app FROM deployments UNION SELECT app FROM volumes ORDER BY app",
      )
      .all();
    return rows.map((each) => z.object({ app: z.string() }).parse(each).app);
  }
}

function withTextOfBytes(each: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(each).map(([column, value]) => [
      column,
      value instanceof Uint8Array ? { sealed: Buffer.from(value).toString("base64") } : value,
    ]),
  );
}
