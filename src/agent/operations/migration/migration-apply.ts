import { pendingOf, refusalOf, type Guard } from "../../../core/migrations/migration-plan.ts";
import { migrationKey } from "../../../core/migrations/migration-spec.ts";
import type { ExpectedMigrations, MigrationFile, MigrationSpec } from "../../../core/migrations/migration-spec.ts";
import { DatabaseSession } from "../../database/database-session.ts";
import { latestVerifiedBackup } from "../../database/latest-verified-backup.ts";
import { refuseTransactionPooler } from "../../database/transaction-pooler.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { OperationInput, OperationResult } from "../../protocol/operations.ts";
import { admitMigrations } from "../signed/admission.ts";
import { adopt, ensureHistory, readHistory } from "./migration-history.ts";
import type { KnownMigration } from "./migration-history.ts";
import { claimOf, databaseOf, takeClaim, withRights } from "./migration-database.ts";
import { takeMigrationLock } from "./migration-lock.ts";
import { remember } from "./remembered-migrations.ts";
import { runInTransaction } from "./run-file.ts";
import type { MigrationRun } from "./run-file.ts";
import { runOutsideTransaction } from "./run-outside.ts";

/**
 * Brings an app's database to at least the bundle's last migration: under a lock of the database, each file as one
 * transaction, in order, none that the guard-rails refuse. A file that fails ends it; those before it stay, and the
 * release that serves goes on with them.
 *
 * @throws MIGRATION_LOCKED, MIGRATION_CHANGED, MIGRATION_OUT_OF_ORDER, MIGRATION_REFUSED, MIGRATION_BACKUP_MISSING,
 *   MIGRATION_FAILED, DATABASE_NOT_FOUND, DATABASE_UNREACHABLE; of a database elsewhere also DATABASE_URL_INVALID,
 *   DATABASE_TLS, DATABASE_AUTH, DATABASE_POOLED, DATABASE_MISMATCH
 */
export async function applyMigrations(
  host: Host,
  { spec }: OperationInput<"migration.apply">,
  op: OperationContext,
): Promise<OperationResult<"migration.apply">> {
  const { app, policy } = spec;
  const database = await databaseOf(host, spec);
  await using session = await DatabaseSession.open(database, {
    applicationName: `ikoma migration ${app}`,
    // One elsewhere runs, or somebody has to see to it.
    patienceMs: spec.remote === undefined ? 30_000 : 0,
    signal: op.signal,
    onNotice: noticesTo(op, "service" in database ? database.service : "database"),
  });
  if (spec.remote !== undefined) await refuseTransactionPooler(session);
  await op.enter("locking");
  await takeMigrationLock(session, policy.waitSeconds, op);
  const identity = await takenOver(host, spec, session);
  const by = { run: op.key, bundle: spec.bundle };
  try {
    await op.enter("migrating");
    return { applied: await runPending(host, spec, { session, policy, by, op, identity }) };
  } finally {
    const history = await readHistory(session).catch(() => undefined);
    if (history !== undefined) remember(host, app, history, identity);
  }
}

/** Nothing is made in a database that is not meant. Gives the identity of one elsewhere. */
async function takenOver(
  host: Host,
  { app, remote }: MigrationSpec,
  session: DatabaseSession,
): Promise<string | undefined> {
  return withRights(session, async () => {
    const claim = remote && (await claimOf(host, app, remote, session));
    if (claim?.refusal !== undefined) throw claim.refusal;
    await ensureHistory(session);
    return claim && takeClaim(session, claim);
  });
}

/** What the server remarks (RAISE NOTICE), the first of it: a loop may have a lot to say. */
function noticesTo(op: OperationContext, service: string): (message: string) => void {
  let told = 0;
  return (message) => {
    told += 1;
    if (told <= mostNotices) op.log(service, message);
  };
}

/** Nothing of the database changes; what the ledger remembers goes with the app's last release. */
export function forgetMigrations(host: Host, { app }: { app: string }): Record<string, never> {
  if (host.deployments.current(app) === undefined) host.parts.remove(app, "migration");
  return {};
}

interface KnownRun extends MigrationRun {
  /** Of a database elsewhere. */
  readonly identity: string | undefined;
}

async function runPending(host: Host, spec: MigrationSpec, run: KnownRun): Promise<string[]> {
  const history = await readHistory(run.session);
  await adopt(run.session, ofOthers(spec.files, history), run.by);
  const refusal = refusalOf(spec.files, history, await guardOf(host, spec));
  if (refusal !== undefined) throw refusal;
  const pending = pendingOf(spec.files, history);
  if (pending.length > 0) await admitMigrations(host, { ...spec, files: pending });
  // Until it is known better: a crash must not leave a release that cannot live with what was run.
  remember(host, spec.app, [...history, ...pending.map(asApplied)], run.identity);
  for (const file of pending) {
    run.op.signal.throwIfAborted();
    run.op.step("migrate", `${migrationKey(file)} (${file.phase})`);
    const isResumed = history.some(({ version, state }) => version === file.version && state === "running");
    if (file.outsideTransaction === undefined) await runInTransaction(run, file);
    else await runOutsideTransaction(run, file, isResumed);
  }
  return pending.map(migrationKey);
}

function asApplied(file: MigrationFile): KnownMigration {
  return { ...file, state: "applied", adopted: false };
}

const mostNotices = 200;

/** A backup that was young enough when the same deploy looked for one still is when its migrations run, in minutes. */
const sameDeployMinutes = 15;

/** What the guard-rails go by at this moment. */
export async function guardOf(
  host: Host,
  { app, database, remote, policy, isBackedUp }: Omit<ExpectedMigrations, "files">,
): Promise<Guard> {
  const { backupMinutes: asked } = policy;
  if (remote !== undefined || database === undefined)
    return { isRemote: true, backupMinutes: asked, verifiedBackupAtMs: undefined, nowMs: Date.now() };
  const backup = await latestVerifiedBackup(host, app, database);
  const backupMinutes = asked + (isBackedUp ? sameDeployMinutes : 0);
  return { backupMinutes, verifiedBackupAtMs: backup?.takenAtMs, nowMs: Date.now() };
}

function ofOthers(files: readonly MigrationFile[], history: readonly KnownMigration[]): MigrationFile[] {
  const foreign = history.filter(({ state, sha256 }) => state === "applied" && sha256 === undefined);
  return files.filter(({ version }) => foreign.some((each) => each.version === version));
}
