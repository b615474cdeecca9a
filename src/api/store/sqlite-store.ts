import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import * as z from "zod";
import { IkomaError } from "../../core/errors.ts";
import { storedEvent, type EventChunk, type StoredEvent } from "../../core/link/link-protocol.ts";
import type { ApiStore, TokenRecord } from "./api-store.ts";

/** Each entry brings the schema one version further; entries are never edited once released. */
const migrations = [
  `
  CREATE TABLE tokens (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('agent', 'caller')), hash TEXT NOT NULL,
    hosts TEXT NOT NULL, note TEXT NOT NULL, created_ms INTEGER NOT NULL, used_ms INTEGER, revoked_ms INTEGER) STRICT;
  CREATE TABLE hosts (host TEXT PRIMARY KEY, seen_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE streams (host TEXT, stream TEXT, received INTEGER NOT NULL, PRIMARY KEY (host, stream)) STRICT;
  CREATE TABLE events (host TEXT, number INTEGER, event TEXT NOT NULL, PRIMARY KEY (host, number)) STRICT, WITHOUT ROWID;
  `,
  "ALTER TABLE tokens ADD COLUMN created_by TEXT",
];

/** Of a host; beyond it the oldest go. */
const keptEvents = 50_000;

const tokenRow = z
  .object({
    id: z.string(),
    kind: z.enum(["agent", "caller"]),
    hash: z.string(),
    hosts: z.string(),
    note: z.string(),
    created_ms: z.number(),
    created_by: z.string().nullable(),
    used_ms: z.number().nullable(),
    revoked_ms: z.number().nullable(),
  })
  .transform(({ created_ms, created_by, used_ms, revoked_ms, hosts, ...row }): TokenRecord => ({
    ...row,
    hosts: z.array(z.string()).parse(JSON.parse(hosts)),
    createdMs: created_ms,
    createdBy: created_by ?? undefined,
    usedMs: used_ms ?? undefined,
    revokedMs: revoked_ms ?? undefined,
  }));

/** The API's store on one machine: a database in its state folder, which `ikoma api token` opens as well. */
export class SqliteStore implements ApiStore {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** @throws JOURNAL_NEWER where a newer version has written it */
  static open(stateFolder: string): SqliteStore {
    mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
    const path = join(stateFolder, "api.db");
    const database = new DatabaseSync(path);
    try {
      chmodSync(path, 0o600);
      bringUpToDate(database, path);
      return new SqliteStore(database);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  addToken({ id, kind, hash, hosts, note, createdMs, createdBy }: TokenRecord): Promise<void> {
    this.#run(
      "INSERT INTO tokens (id, kind, hash, hosts, note, created_ms, created_by) VALUES (?, ?, ?, ?, ?, ?, ?)",
      ...[id, kind, hash, JSON.stringify(hosts), note, createdMs, createdBy ?? null],
    );
    return Promise.resolve();
  }

  findToken(id: string): Promise<TokenRecord | undefined> {
    return Promise.resolve(tokenRow.optional().parse(this.#get("SELECT * FROM tokens WHERE id = ?", id)));
  }

  tokens(): Promise<TokenRecord[]> {
    const rows = this.#database.prepare("SELECT * FROM tokens ORDER BY created_ms, rowid").all();
    return Promise.resolve(rows.map((row) => tokenRow.parse(row)));
  }

  revokeToken(id: string, atMs: number): Promise<boolean> {
    this.#run("UPDATE tokens SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL", atMs, id);
    return Promise.resolve(this.#get("SELECT 1 FROM tokens WHERE id = ?", id) !== undefined);
  }

  tokenUsed(id: string, atMs: number): Promise<void> {
    this.#run("UPDATE tokens SET used_ms = ? WHERE id = ?", atMs, id);
    return Promise.resolve();
  }

  hostSeen(host: string, atMs: number): Promise<void> {
    this.#run(
      "INSERT INTO hosts VALUES (?, ?) ON CONFLICT (host) DO UPDATE SET seen_ms = max(seen_ms, excluded.seen_ms)",
      ...[host, atMs],
    );
    return Promise.resolve();
  }

  lastSeen(host: string): Promise<number | undefined> {
    return Promise.resolve(this.#number("SELECT seen_ms AS n FROM hosts WHERE host = ?", host));
  }

  receivedEvents(host: string, stream: string): Promise<number> {
    return Promise.resolve(this.#received(host, stream));
  }

  addEvents(host: string, { stream, first, events }: EventChunk): Promise<number> {
    return Promise.resolve(
      this.#atOnce(() => {
        const received = this.#received(host, stream);
        let next = (this.#number("SELECT max(number) AS n FROM events WHERE host = ?", host) ?? 0) + 1;
        const keep = (event: StoredEvent["event"]): void => {
          this.#run("INSERT INTO events VALUES (?, ?, ?)", host, next, JSON.stringify(event));
          next += 1;
        };
        const fresh = events.slice(Math.max(received + 1 - first, 0));
        const [begin] = fresh;
        if (begin === undefined) return received;
        if (first > received + 1) keep({ atMs: begin.atMs, type: "gap", message: lostText(first - received - 1) });
        for (const event of fresh) keep(event);
        const last = first + events.length - 1;
        this.#run(
          "INSERT INTO streams VALUES (?, ?, ?) ON CONFLICT (host, stream) DO UPDATE SET received = excluded.received",
          ...[host, stream, last],
        );
        this.#run("DELETE FROM events WHERE host = ? AND number < ?", host, next - keptEvents);
        return last;
      }),
    );
  }

  events(host: string, after: number, limit: number): Promise<StoredEvent[]> {
    const rows = this.#database
      .prepare("SELECT number, event FROM events WHERE host = ? AND number > ? ORDER BY number LIMIT ?")
      .all(host, after, limit);
    return Promise.resolve(
      rows.map(({ number, event }) => storedEvent.parse({ number, event: JSON.parse(String(event)) as unknown })),
    );
  }

  check(): Promise<void> {
    this.#get("SELECT 1 FROM hosts LIMIT 1");
    return Promise.resolve();
  }

  close(): void {
    this.#database.close();
  }

  #received(host: string, stream: string): number {
    return this.#number("SELECT received AS n FROM streams WHERE host = ? AND stream = ?", host, stream) ?? 0;
  }

  #number(sql: string, ...values: (string | number)[]): number | undefined {
    return (
      z
        .object({ n: z.number().nullable() })
        .optional()
        .parse(this.#get(sql, ...values))?.n ?? undefined
    );
  }

  #get(sql: string, ...values: (string | number)[]): unknown {
    return this.#database.prepare(sql).get(...values);
  }

  #run(sql: string, ...values: (string | number | null)[]): void {
    this.#database.prepare(sql).run(...values);
  }

  #atOnce<T>(action: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = action();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}

function lostText(count: number): string {
  return `${count} events are missing: they did not fit on the host's disk while the API was away`;
}

function bringUpToDate(database: DatabaseSync, path: string): void {
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000");
  const found = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (found > migrations.length) {
    throw new IkomaError(
      "JOURNAL_NEWER",
      `${path} has schema ${found}; this version knows up to ${migrations.length}.`,
      {
        hint: "Start the newer version again.",
      },
    );
  }
  for (const [index, migration] of migrations.entries()) {
    if (index >= found) database.exec(`BEGIN IMMEDIATE; ${migration}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}
