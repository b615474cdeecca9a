import * as z from "zod";
import type { HistoryEntry } from "../../../core/migrations/migration-plan.ts";
import { migrationPhase } from "../../../core/migrations/migration-spec.ts";
import type { MigrationFile } from "../../../core/migrations/migration-spec.ts";
import type { DatabaseSession } from "../../database/database-session.ts";

/** Whose run an entry is of. */
export interface RunIdentity {
  /** Key of the operation. */
  readonly run: string;
  readonly bundle: string;
}

/** An entry, and whether another tool made it. */
export interface KnownMigration extends HistoryEntry {
  readonly adopted: boolean;
}

/**
 * The first table is that of Supabase's tools, which go on working; it says what was run. The second is our own, with
 * what the first has no place for. It is in a schema that no API serves.
 */
const tables = `
CREATE SCHEMA IF NOT EXISTS supabase_migrations;
CREATE TABLE IF NOT EXISTS supabase_migrations.schema_migrations (version text NOT NULL PRIMARY KEY);
ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS statements text[];
ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS name text;
CREATE SCHEMA IF NOT EXISTS ikoma_bridge;
CREATE TABLE IF NOT EXISTS ikoma_bridge.migrations (
  version text NOT NULL PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, phase text NOT NULL,
  state text NOT NULL CHECK (state IN ('running', 'applied')), adopted boolean NOT NULL,
  run text NOT NULL, bundle text NOT NULL, started_at timestamptz NOT NULL, ended_at timestamptz)`;

const present = `SELECT to_regclass('supabase_migrations.schema_migrations') IS NOT NULL AS history,
  to_regclass('ikoma_bridge.migrations') IS NOT NULL AS own`;
const presence = z.object({ history: z.boolean(), own: z.boolean() });

const whole = `SELECT version, coalesce(own.name, to_jsonb(history) ->> 'name', '') AS name, own.sha256, own.phase,
  coalesce(own.adopted, true) AS adopted, CASE WHEN history IS NULL THEN 'running' ELSE 'applied' END AS state
  FROM supabase_migrations.schema_migrations AS history FULL JOIN ikoma_bridge.migrations AS own USING (version)
  WHERE history IS NOT NULL OR own.state = 'running' ORDER BY version`;
const othersOnly = `SELECT version, coalesce(to_jsonb(history) ->> 'name', '') AS name, NULL AS sha256, NULL AS phase,
  true AS adopted, 'applied' AS state FROM supabase_migrations.schema_migrations AS history ORDER BY version`;
const entry = z.object({
  version: z.string(),
  name: z.string(),
  sha256: z.string().nullable(),
  phase: migrationPhase.nullable(),
  adopted: z.boolean(),
  state: z.enum(["applied", "running"]),
});

/** What a database has of migrations, by its own tables. Makes none. */
export async function readHistory(session: DatabaseSession): Promise<KnownMigration[]> {
  const { history, own } = presence.parse((await session.rows(present))[0]);
  if (!history) return [];
  const rows = await session.rows(own ? whole : othersOnly);
  return rows.map((row) => {
    const { sha256, phase, ...rest } = entry.parse(row);
    return { ...rest, sha256: sha256 ?? undefined, phase: phase ?? undefined };
  });
}

/** Makes the tables where they are missing. */
export async function ensureHistory(session: DatabaseSession): Promise<void> {
  const { history, own } = presence.parse((await session.rows(present))[0]);
  if (!history || !own) await session.transaction(() => session.run(tables));
}

/** Notes down what another tool has run of these files, so that a later change of them is seen. */
export async function adopt(session: DatabaseSession, files: readonly MigrationFile[], by: RunIdentity): Promise<void> {
  for (const file of files) await session.rows(upsert, [...valuesOf(file, by), "applied", true]);
}

/** Before a statement outside a transaction: whatever becomes of it, this says that it was begun. */
export async function noteBegun(session: DatabaseSession, file: MigrationFile, by: RunIdentity): Promise<void> {
  await session.rows(upsert, [...valuesOf(file, by), "running", false]);
}

/** In the transaction of the file, or after the statement that had none. */
export async function noteApplied(session: DatabaseSession, file: MigrationFile, by: RunIdentity): Promise<void> {
  const statements = file.statements.map(({ start, end }) => file.text.slice(start, end));
  await session.rows(
    "INSERT INTO supabase_migrations.schema_migrations (version, name, statements) VALUES ($1, $2, $3)",
    [file.version, file.name, statements],
  );
  await session.rows(upsert, [...valuesOf(file, by), "applied", false]);
}

const upsert = `INSERT INTO ikoma_bridge.migrations
  (version, name, sha256, phase, run, bundle, state, adopted, started_at, ended_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now(), CASE WHEN $7 = 'applied' THEN clock_timestamp() END)
  ON CONFLICT (version) DO UPDATE SET name = excluded.name, sha256 = excluded.sha256, phase = excluded.phase,
  run = excluded.run, bundle = excluded.bundle, state = excluded.state, adopted = excluded.adopted,
  started_at = CASE WHEN migrations.state = 'running' AND excluded.state = 'applied' THEN migrations.started_at
    ELSE excluded.started_at END, ended_at = excluded.ended_at`;

function valuesOf({ version, name, sha256, phase }: MigrationFile, { run, bundle }: RunIdentity): string[] {
  return [version, name, sha256, phase, run, bundle];
}
