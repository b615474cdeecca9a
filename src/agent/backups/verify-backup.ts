import { reaches } from "../../core/backup/backup-policy.ts";
import type { BackupLevel } from "../../core/backup/backup-policy.ts";
import { IkomaError } from "../../core/errors.ts";
import {
  countStatements,
  createDatabaseStatement,
  differentTables,
  parseTables,
  tablesStatement,
  withCounts,
} from "../database/database-facts.ts";
import { migrationHead } from "../database/migration-head.ts";
import { ask, databaseCommand } from "../database/psql.ts";
import type { ServerInContainer } from "../database/psql.ts";
import { runInContainer } from "../engine/container-process.ts";
import type { Host } from "../host.ts";
import { backupManifest } from "./backup-manifest.ts";
import type { BackupManifest } from "./backup-manifest.ts";
import type { BackupTask } from "./backup-task.ts";
import { fileNames } from "./backup-store.ts";
import { freeBytesOfVolumes, requireRoom } from "./free-space.ts";
import { ThrowawayServer } from "./throwaway-server.ts";

/** Without what was said against it before. */
const unspoken = backupManifest.omit({ failed: true, damaged: true }).strip();
const restoredInto = "restored";

/** The backup itself is bad: not the way to look at it. */
class BadBackup extends Error {}

/**
 * Proves a backup up to a level and writes down how far it came. What could not be looked at is not proven: whatever
 * keeps a level from being run is a failure of the backup, in the manifest too.
 *
 * @throws BACKUP_UNVERIFIED
 */
export async function verifyBackup(
  host: Host,
  backup: BackupManifest,
  level: BackupLevel,
  task: BackupTask,
): Promise<BackupManifest> {
  await task.enter("verifying");
  try {
    const restoreMs = await provenAs(host, backup, level, task);
    const now = { level, atMs: Date.now(), ...(restoreMs !== undefined && { restoreMs }) };
    // A look that goes less far takes nothing from one that went further, unless something was wrong in between.
    const isFurther = backup.damaged !== undefined || !reaches(backup.verified?.level, level);
    const verified = isFurther || backup.verified?.level === level ? now : (backup.verified ?? now);
    const proven = { ...unspoken.parse(backup), verified };
    await host.backups.update(proven);
    task.step("verify", `${backup.id}: ${level} passed`);
    return proven;
  } catch (error) {
    // Nobody is the wiser for a look that was broken off.
    if (task.signal.aborted) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const atMs = Date.now();
    const spoiled = error instanceof BadBackup ? { damaged: { atMs, message } } : {};
    await host.backups.update({ ...backup, failed: { level, atMs, message }, ...spoiled }).catch(() => undefined);
    throw new IkomaError(
      "BACKUP_UNVERIFIED",
      `The backup ${backup.id} of ${backup.app} does not pass "${level}": ${message}`,
      {
        details: { backup: backup.id, level },
        cause: error,
      },
    );
  }
}

/** Goes through the levels in order; gives how long the restore took, in ms. */
async function provenAs(
  host: Host,
  backup: BackupManifest,
  level: BackupLevel,
  task: BackupTask,
): Promise<number | undefined> {
  const fault = await host.backups.fault(backup, { readAll: true });
  if (fault !== undefined) throw new BadBackup(fault);
  task.step("verify", `${backup.id}: checksums are right`);
  if (level === "checksum") return undefined;
  const throwaway = await ThrowawayServer.start(host, backup, task.signal);
  try {
    await list(host, backup, throwaway, task);
    if (level === "list") return undefined;
    await requireRoomForRestore(host, backup, throwaway, task.signal);
    const restoreMs = await restore(host, backup, throwaway, task);
    if (level === "compare") await compare(host, backup, throwaway.server(restoredInto), task);
    return restoreMs;
  } finally {
    await throwaway.remove();
  }
}

async function requireRoomForRestore(
  host: Host,
  backup: BackupManifest,
  throwaway: ThrowawayServer,
  signal: AbortSignal,
): Promise<void> {
  requireRoom({
    what: `Restoring ${backup.id} into a throwaway server`,
    neededBytes: backup.databaseBytes,
    freeBytes: await freeBytesOfVolumes(host, throwaway.container, signal),
  });
}

async function list(host: Host, backup: BackupManifest, throwaway: ThrowawayServer, task: BackupTask): Promise<void> {
  const command = ["pg_restore", "--list", throwaway.path(fileNames.dump)];
  const { code, output, errors } = await run(host, throwaway.server("postgres"), command, task.signal);
  if (code !== 0) throw new BadBackup(`its contents cannot be listed: ${errors}`);
  const tables = output.split("\n").filter((line) => line.includes(" TABLE DATA ")).length;
  if (tables < backup.tables.length)
    throw new BadBackup(`it lists ${tables} tables with data, and was taken of ${backup.tables.length}`);
  task.step("verify", `${backup.id}: lists ${tables} tables`);
}

async function restore(
  host: Host,
  backup: BackupManifest,
  throwaway: ThrowawayServer,
  task: BackupTask,
): Promise<number> {
  await throwaway.ready();
  const beganMs = performance.now();
  const server = throwaway.server("postgres");
  const roles = ["psql", "--no-psqlrc", "--quiet", `--file=${throwaway.path(fileNames.roles)}`];
  // Such as a role that the server of the throwaway has already; one that is missing shows in the restore.
  const made = await run(host, server, roles, task.signal);
  if (made.code !== 0) throw new Error(`the roles cannot be made: ${made.errors}`);
  await ask(host, server, [createDatabaseStatement(restoredInto, backup.locale)], task.signal);
  const command = [
    "pg_restore",
    "--exit-on-error",
    "--jobs=2",
    `--dbname=${restoredInto}`,
    throwaway.path(fileNames.dump),
  ];
  const { code, errors } = await run(host, server, command, task.signal);
  if (code !== 0) throw new BadBackup(`it cannot be restored: ${errors}`);
  const restoreMs = Math.round(performance.now() - beganMs);
  task.step("verify", `${backup.id}: restored in ${restoreMs} ms`);
  return restoreMs;
}

/** Holds a restored database against what the backup was taken of. Throws where anything differs. */
export async function compare(
  host: Host,
  backup: BackupManifest,
  server: ServerInContainer,
  task: BackupTask,
): Promise<void> {
  const tables = parseTables(await ask(host, server, [tablesStatement], task.signal));
  const found = withCounts(tables, await ask(host, server, countStatements(tables), task.signal));
  const different = differentTables(backup.tables, found);
  if (different.length > 0)
    throw new BadBackup(`what it restores is not what it was taken of: ${different.join(", ")}`);
  const head = await migrationHead((statements) => ask(host, server, statements, task.signal));
  if (head !== backup.migrationHead)
    throw new BadBackup(`its last migration is ${head ?? "none"}, and was ${backup.migrationHead ?? "none"}`);
  task.step("verify", `${backup.id}: every table has its rows`);
}

function run(host: Host, server: ServerInContainer, command: readonly string[], signal: AbortSignal) {
  // As root: the files of a backup are root's alone.
  return runInContainer(host, { ...databaseCommand(server, command), user: "root" }, signal);
}
