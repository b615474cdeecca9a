import { createReadStream } from "node:fs";
import { safetyReason } from "../../core/backup/choose-backup.ts";
import { IkomaError, toIkomaError } from "../../core/errors.ts";
import { findAccessoryDatabase } from "../database/accessory-database.ts";
import { createDatabaseStatement, factsStatement, parseFacts } from "../database/database-facts.ts";
import { ask, databaseCommand, DatabaseFailure } from "../database/psql.ts";
import type { ServerInContainer } from "../database/psql.ts";
import { runInContainer } from "../engine/container-process.ts";
import type { Host, OperationContext } from "../host.ts";
import { rememberRestored } from "../operations/migration/remembered-migrations.ts";
import type { OperationInput, OperationResult } from "../protocol/operations.ts";
import { settleBackups } from "./accepted-backup.ts";
import type { BackupManifest } from "./backup-manifest.ts";
import { serverOf } from "./backup-task.ts";
import { viewOf } from "./backup-view.ts";
import { provenBackup } from "./ensure-backup.ts";
import { freeBytesOfVolumes, requireRoom } from "./free-space.ts";
import { clearRestore, markRestore } from "./restore-marker.ts";
import { swapDatabases, takeOverStatement } from "./swap-databases.ts";
import { compare } from "./verify-backup.ts";

/** PostgreSQL cuts longer names off, in bytes. */
const longestName = 63;

/**
 * Restores a backup into a new database beside the one that serves, holds it against what the backup was taken of, and
 * then lets the two change names. What served is backed up before and kept after: nothing of it is lost whatever happens.
 *
 * @throws RESTORE_REFUSED, BACKUP_UNVERIFIED, DISK_FULL, RESTORE_FAILED; the database that served serves on
 */
export async function restoreBackup(
  host: Host,
  { app, id }: OperationInput<"backup.restore">,
  op: OperationContext,
): Promise<OperationResult<"backup.restore">> {
  const backup = await host.backups.get(app, id);
  const database = await findAccessoryDatabase(host, app, backup.service);
  const server = serverOf(database, id);
  await refuseUnfit(host, backup, server, op);
  const wanted = {
    app,
    service: backup.service,
    reason: safetyReason(id),
    pin: `it was there before the restore of ${id}`,
  };
  const safety = await provenBackup(host, wanted, "list", op);
  const unfinished = `ikoma_restore_${id.slice(-6)}`;
  const kept = keptName(database.database, safety.id);
  const admin = { ...server, database: "template1" };
  try {
    await op.enter("restoring");
    await clearRestore(host, app, op.signal);
    await markRestore(host, app, { service: backup.service, unfinished });
    await restoreInto(host, backup, { admin, unfinished }, op);
    await ask(host, admin, [takeOverStatement(database.database, unfinished)], op.signal);
    await op.enter("swapping");
    op.signal.throwIfAborted();
    await swapDatabases(host, admin, { serving: database.database, next: unfinished, kept });
    op.step("restore", `${database.database} is that of ${id}; the one before is kept as ${kept}`);
  } catch (error) {
    throw failure(backup, error, op.signal);
  } finally {
    // After the swap there is nothing of that name.
    await clearRestore(host, app, AbortSignal.timeout(60_000)).catch(() => undefined);
  }
  rememberRestored(host, app, {
    before: safety.migrationHead,
    after: backup.migrationHead,
    isOlderThanRelease: backup.deployment !== host.deployments.current(app)?.number,
  });
  await settleBackups(host, app);
  return { backup: viewOf(backup), safety: viewOf(safety), database: database.database, kept };
}

async function refuseUnfit(
  host: Host,
  backup: BackupManifest,
  server: ServerInContainer,
  op: OperationContext,
): Promise<void> {
  const refuse = (message: string): never => {
    throw new IkomaError("RESTORE_REFUSED", `${backup.id} cannot be restored: ${message}.`);
  };
  const fault = await host.backups.fault(backup, { readAll: true });
  if (fault !== undefined) refuse(fault);
  const [line = ""] = await ask(host, server, [factsStatement], op.signal).catch((error: unknown) =>
    refuse(`its database does not answer (${error instanceof Error ? error.message : String(error)})`),
  );
  const { major, version } = parseFacts(line);
  if (major < backup.server.major)
    refuse(`it is of PostgreSQL ${backup.server.version}, and the server is the older ${version}`);
  requireRoom({
    what: `Restoring ${backup.id} beside the database`,
    neededBytes: backup.databaseBytes,
    freeBytes: await freeBytesOfVolumes(host, server.container, op.signal),
  });
}

async function restoreInto(
  host: Host,
  backup: BackupManifest,
  { admin, unfinished }: { admin: ServerInContainer; unfinished: string },
  op: OperationContext,
): Promise<void> {
  await ask(host, admin, [createDatabaseStatement(unfinished, backup.locale)], op.signal);
  const into = { ...admin, database: unfinished };
  const command = ["pg_restore", "--exit-on-error", "--no-password", `--dbname=${unfinished}`];
  const dump = createReadStream(host.backups.path(backup.app, backup.id, "dump"));
  const { code, errors } = await runInContainer(host, databaseCommand(into, command), op.signal, dump);
  if (code !== 0) throw new DatabaseFailure("pg_restore", errors);
  await compare(host, backup, into, op);
}

/** `shop_before_20261126t150755z_4f2a1b` */
function keptName(database: string, safetyId: string): string {
  const suffix = `_before_${safetyId.toLowerCase().replace("-", "_")}`;
  return (
    Buffer.from(database)
      .subarray(0, longestName - suffix.length)
      .toString("utf8")
      .replace(/\uFFFD+$/, "") + suffix
  );
}

function failure({ id, app }: BackupManifest, thrown: unknown, signal: AbortSignal): IkomaError {
  if (signal.aborted || thrown instanceof IkomaError) return toIkomaError(thrown);
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new IkomaError("RESTORE_FAILED", `${id} of ${app} was not restored: ${reason}`, { cause: thrown });
}
