import type { BackupLevel } from "../../core/backup/backup-policy.ts";
import { findAccessoryDatabase } from "../database/accessory-database.ts";
import type { Host, OperationContext } from "../host.ts";
import type { OperationInput, OperationResult } from "../protocol/operations.ts";
import { accept, acceptedOf, settleBackups } from "./accepted-backup.ts";
import { isProven, newestProven } from "./backup-manifest.ts";
import type { BackupManifest } from "./backup-manifest.ts";
import type { BackupTask } from "./backup-task.ts";
import { viewOf } from "./backup-view.ts";
import { takeBackup } from "./take-backup.ts";
import { verifyBackup } from "./verify-backup.ts";

/**
 * Resolves only with a proven backup that is young enough: one that is there, its files read again, or a new one. Then
 * the policy is in force. Whatever keeps it from being proven fails the operation, and with it the deploy. A rollback
 * changes no data and has to be quick: it goes on with what there is.
 */
export async function ensureBackup(
  host: Host,
  { app, policy, offsiteSecret, isRollback }: OperationInput<"backup.ensure">,
  op: OperationContext,
): Promise<OperationResult<"backup.ensure">> {
  const { service } = await findAccessoryDatabase(host, app, policy.database);
  await markDamaged(host, app);
  const found = isRollback
    ? newestProven(await host.backups.list(app), policy.level, service)
    : await youngBackup(host, { app, service, maxAgeMs: policy.maxAgeMinutes * 60_000, level: policy.level });
  if (found !== undefined && !isRollback) op.step("backup", `${found.id} is proven and young enough`);
  const isNew = found === undefined && !isRollback;
  const wanted = { app, service, reason: `before a deploy, by ${op.by}` };
  const backup = isNew ? await provenBackup(host, wanted, policy.level, op) : found;
  const sinceMs = acceptedOf(host, app)?.sinceMs ?? Date.now();
  accept(host, app, { policy, service, sinceMs, known: [], ...(offsiteSecret !== undefined && { offsiteSecret }) });
  await settleBackups(host, app);
  return { ...(backup !== undefined && { backup: viewOf(backup) }), isNew };
}

/** Takes a backup and proves it. */
export async function provenBackup(
  host: Host,
  wanted: { app: string; service: string | undefined; reason: string; pin?: string },
  level: BackupLevel,
  op: BackupTask,
): Promise<BackupManifest> {
  const taken = await takeBackup(host, { ...wanted, level }, op);
  try {
    return await verifyBackup(host, taken, level, op);
  } catch (error) {
    await settleBackups(host, wanted.app).catch(() => undefined);
    throw error;
  }
}

async function youngBackup(
  host: Host,
  { app, service, maxAgeMs, level }: { app: string; service: string; maxAgeMs: number; level: BackupLevel },
): Promise<BackupManifest | undefined> {
  const nowMs = Date.now();
  const all = await host.backups.list(app);
  // One from the future (the clock was put back) tells nothing of its age.
  const young = all.filter(({ takenAtMs }) => takenAtMs <= nowMs && nowMs - takenAtMs <= maxAgeMs);
  for (const backup of young.toReversed()) {
    if (backup.service !== service || !isProven(backup, level)) continue;
    if ((await host.backups.fault(backup, { readAll: true })) === undefined) return backup;
  }
  return undefined;
}

/** What was found to be bad is written down as such: it counts no more, and is no news at the next look. */
async function markDamaged(host: Host, app: string): Promise<void> {
  for (const backup of await host.backups.list(app)) {
    if (backup.damaged !== undefined) continue;
    const message = await host.backups.fault(backup);
    if (message !== undefined) await host.backups.update({ ...backup, damaged: { atMs: Date.now(), message } });
  }
}
