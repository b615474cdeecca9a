import { chmodSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { IkomaError } from "../../core/errors.ts";

/** Each entry brings the schema one version further; entries are never edited once released. */
const migrations = [
  `
  CREATE TABLE generations (app TEXT, part TEXT, generation INTEGER NOT NULL, PRIMARY KEY (app, part)) STRICT;
  CREATE TABLE parts (app TEXT, part TEXT, sealed BLOB NOT NULL, PRIMARY KEY (app, part)) STRICT;
  CREATE TABLE deployments (
    app TEXT, number INTEGER, version TEXT NOT NULL, bundle TEXT NOT NULL, digest TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('started', 'current', 'good', 'failed', 'pruned')),
    started_ms INTEGER NOT NULL, ended_ms INTEGER, note TEXT, by TEXT NOT NULL,
    sealed BLOB NOT NULL, subnet TEXT, servers TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (app, number)) STRICT;
  CREATE UNIQUE INDEX one_current ON deployments (app) WHERE status = 'current';
  CREATE TABLE operations (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, app TEXT NOT NULL, by TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled')),
    phase TEXT NOT NULL, number INTEGER, result TEXT, error TEXT, generation INTEGER,
    started_ms INTEGER NOT NULL, ended_ms INTEGER) STRICT;
  CREATE TABLE events (
    key TEXT, seq INTEGER, at_ms INTEGER NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (key, seq)) STRICT;
  CREATE TABLE subnets (subnet TEXT PRIMARY KEY, owner TEXT, released_ms INTEGER NOT NULL DEFAULT 0) STRICT;
  CREATE TABLE images (reference TEXT, app TEXT, PRIMARY KEY (reference, app)) STRICT;
  `,
  `
  ALTER TABLE deployments ADD COLUMN rollback_to INTEGER;
  UPDATE deployments SET rollback_to = CAST(substr(note, 14) AS INTEGER) WHERE note GLOB 'rollback to #[1-9]*';
  CREATE TABLE withdrawn (
    app TEXT, bundle TEXT, digest TEXT, number INTEGER NOT NULL, reason TEXT NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (app, bundle, digest)) STRICT;
  `,
  "CREATE TABLE volumes (name TEXT, app TEXT, PRIMARY KEY (name, app)) STRICT",
  `
  CREATE TABLE outbox (number INTEGER PRIMARY KEY, event TEXT NOT NULL) STRICT;
  CREATE TABLE outbox_stream (id TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT;
  `,
];

/**
 * Opens the ledger's database (WAL, every commit on disk before it is acknowledged) and brings its
 * schema up to date. Throws JOURNAL_NEWER where a newer agent has written it.
 */
export function openDatabase(path: string): DatabaseSync {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(path);
  try {
    if (path !== ":memory:") chmodSync(path, 0o600); // SQLite gives its own files beside it the same mode.
    bringUpToDate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function bringUpToDate(database: DatabaseSync): void {
  database.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000",
  );
  const found = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (found > migrations.length)
    throw new IkomaError(
      "JOURNAL_NEWER",
      `The journal of this host has schema ${found}; this agent knows up to ${migrations.length}.`,
    );
  for (const [index, migration] of migrations.entries()) {
    if (index < found) continue;
    transaction(database, () => {
      database.exec(`${migration}; PRAGMA user_version = ${index + 1}`);
    });
  }
}

/** Runs `action` as one transaction. */
export function transaction<T>(database: DatabaseSync, action: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = action();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    // A full disk may have rolled it back already.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
