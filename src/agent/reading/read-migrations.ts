import { IkomaError } from "../../core/errors.ts";
import type { ExpectedCommand } from "../../core/migrations/migration-command.ts";
import { changedSince, pendingOf, refusalOf } from "../../core/migrations/migration-plan.ts";
import { migrationKey } from "../../core/migrations/migration-spec.ts";
import type { ExpectedMigrations, MigrationFacts } from "../../core/migrations/migration-spec.ts";
import { asSchemaOwner, findAccessoryDatabase } from "../database/accessory-database.ts";
import { DatabaseSession } from "../database/database-session.ts";
import type { Host } from "../host.ts";
import { guardOf } from "../operations/migration/migration-apply.ts";
import { readHistory } from "../operations/migration/migration-history.ts";
import type { KnownMigration } from "../operations/migration/migration-history.ts";
import { commandKey } from "../operations/migration/run-command.ts";
import { hasRun, rememberedHistory } from "../operations/migration/remembered-migrations.ts";
import { toWire } from "../operations/wire-error.ts";
import type { Drift, PartView } from "../protocol.ts";

type View = Omit<PartView, "generation">;

/**
 * What an app's database has, by its own history, held against the files that it should have. One that cannot be asked
 * now has what the ledger remembers: before the first deploy nothing.
 */
export async function readMigrations(
  host: Host,
  app: string,
  expected: ExpectedMigrations | ExpectedCommand | undefined,
): Promise<View> {
  const exists = host.parts.has(app, "migration");
  if (expected === undefined) return { exists, drift: [], services: {} };
  if ("command" in expected) return { exists, drift: commandDrift(host, expected), services: {} };
  const found = await historyOf(host, app, expected.database);
  if (found instanceof IkomaError) {
    const drift = [{ path: "database", message: `its migrations cannot be read: ${found.message}` }];
    return { exists, drift, services: {}, migrations: await planOn(host, expected, rememberedHistory(host, app)) };
  }
  return {
    exists,
    drift: driftOf(expected.files, found),
    services: {},
    migrations: await planOn(host, expected, found),
  };
}

function commandDrift(host: Host, expected: ExpectedCommand): Drift[] {
  if (hasRun(host, expected.app, commandKey(expected))) return [];
  return [{ path: "command", message: "this host does not know that it has been run" }];
}

async function historyOf(host: Host, app: string, database: string): Promise<KnownMigration[] | IkomaError> {
  try {
    const server = asSchemaOwner(await findAccessoryDatabase(host, app, database));
    await using session = await DatabaseSession.open(server, { applicationName: "ikoma look" });
    return await readHistory(session);
  } catch (error) {
    if (error instanceof IkomaError) return error;
    throw error;
  }
}

async function planOn(
  host: Host,
  expected: ExpectedMigrations,
  history: readonly KnownMigration[],
): Promise<NonNullable<View["migrations"]>> {
  const refusal = refusalOf(expected.files, history, await guardOf(host, expected));
  const applied = history.filter(({ state }) => state === "applied");
  const known = expected.files.map(({ version }) => version);
  return {
    applied: applied.map(migrationKey),
    pending: pendingOf(expected.files, history).map(migrationKey),
    staying: applied.filter(({ version }) => !known.includes(version)).map(migrationKey),
    ...(refusal !== undefined && { refusal: toWire(refusal) }),
  };
}

function driftOf(files: readonly MigrationFacts[], history: readonly KnownMigration[]): Drift[] {
  const changed = changedSince(files, history).map((file) => at(file, "its file is not what the database has run"));
  const behind = pendingOf(files, history).map((file) => {
    const isHalf = history.some(({ version, state }) => version === file.version && state === "running");
    return at(file, isHalf ? "it was begun, and nobody has seen its end" : "the database does not have it");
  });
  return [...changed, ...behind];
}

function at(file: MigrationFacts, message: string): Drift {
  const key = migrationKey(file);
  return { path: `files[${JSON.stringify(key)}]`, message: `${key}: ${message}` };
}
