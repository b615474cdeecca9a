import { IkomaError } from "../../core/errors.ts";
import type { ExpectedCommand } from "../../core/migrations/migration-command.ts";
import { changedSince, pendingOf, refusalOf } from "../../core/migrations/migration-plan.ts";
import { migrationKey } from "../../core/migrations/migration-spec.ts";
import type { ExpectedMigrations, MigrationFacts } from "../../core/migrations/migration-spec.ts";
import { DatabaseSession } from "../database/database-session.ts";
import { refuseTransactionPooler } from "../database/transaction-pooler.ts";
import type { Host } from "../host.ts";
import { claimOf, databaseOf, withRights } from "../operations/migration/migration-database.ts";
import { guardOf } from "../operations/migration/migration-apply.ts";
import { readHistory } from "../operations/migration/migration-history.ts";
import type { KnownMigration } from "../operations/migration/migration-history.ts";
import { commandKey } from "../operations/migration/run-command.ts";
import { hasRun, rememberedHistory } from "../operations/migration/remembered-migrations.ts";
import { toWire } from "../operations/wire-error.ts";
import type { PartView } from "../protocol/methods.ts";
import type { Drift } from "../protocol/views.ts";

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
  const found = await lookAt(host, expected);
  if (found instanceof IkomaError) {
    const plan = await planOn(host, expected, rememberedHistory(host, app));
    // A database elsewhere is there before the deploy, or nothing can be run.
    const migrations = expected.remote === undefined ? plan : { ...plan, refusal: toWire(found) };
    return { exists, ...notLookedAt(expected, found), services: {}, migrations };
  }
  const { history, refusal } = found;
  const plan = await planOn(host, expected, history);
  const migrations = refusal === undefined ? plan : { ...plan, refusal: toWire(refusal) };
  return { exists, drift: driftOf(expected.files, history), services: {}, migrations };
}

/**
 * The login of the last deploy may have been changed since, where the database is: that alone is no reason for another
 * deploy. Nothing is known of what the database has all the same, so it is told.
 */
function notLookedAt({ remote }: ExpectedMigrations, error: IkomaError): Pick<View, "drift" | "unread"> {
  if (error.code === "DATABASE_AUTH") return { drift: [], unread: toWire(error) };
  const path = remote === undefined ? "database" : "remote";
  return { drift: [{ path, message: `its migrations cannot be read: ${error.message}` }] };
}

function commandDrift(host: Host, expected: ExpectedCommand): Drift[] {
  if (hasRun(host, expected.app, commandKey(expected))) return [];
  return [{ path: "command", message: "this host does not know that it has been run" }];
}

interface Looked {
  readonly history: KnownMigration[];
  /** Why nothing may be run there, whatever it is. */
  readonly refusal: IkomaError | undefined;
}

async function lookAt(host: Host, expected: ExpectedMigrations): Promise<Looked | IkomaError> {
  try {
    await using session = await DatabaseSession.open(await databaseOf(host, expected), {
      applicationName: "ikoma look",
    });
    const history = await withRights(session, () => readHistory(session));
    const { app, files, remote } = expected;
    if (remote === undefined) return { history, refusal: undefined };
    // Only what is to be run needs a session of its own.
    if (pendingOf(files, history).length > 0) await refuseTransactionPooler(session);
    const { refusal } = await withRights(session, () => claimOf(host, app, remote, session));
    return { history, refusal };
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
