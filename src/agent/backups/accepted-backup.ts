import * as z from "zod";
import { backupPolicy } from "../../core/backup/backup-policy.ts";
import type { Host } from "../host.ts";
import { isFromFuture, isProven, newestProven } from "./backup-manifest.ts";
import type { BackupManifest } from "./backup-manifest.ts";
import { expired } from "./retention.ts";

/** What the ledger keeps of an app's backups: the policy that is in force, and which backups there should be. */
const acceptedBackup = z.strictObject({
  policy: backupPolicy,
  /** The database that the policy is about, where it names none. */
  service: z.string(),
  sinceMs: z.number(),
  known: z.array(z.string()),
  /** Of the access key for copies elsewhere. */
  offsiteSecret: z.string().optional(),
});
export type AcceptedBackup = z.infer<typeof acceptedBackup>;

export function acceptedOf(host: Host, app: string): AcceptedBackup | undefined {
  return host.parts.get(app, "backup", acceptedBackup);
}

export function accept(host: Host, app: string, accepted: AcceptedBackup): void {
  host.parts.set(app, "backup", accepted);
}

/** The newest backup that is proven as the policy asks. */
export function newestOf(accepted: AcceptedBackup, backups: readonly BackupManifest[]): BackupManifest | undefined {
  return newestProven(backups, accepted.policy.level, accepted.service);
}

/**
 * After a backup has come or gone: deletes those that no rule keeps any more, and notes which ones there are, so that one
 * that vanishes is missed. Without a policy nothing is deleted.
 */
export async function settleBackups(host: Host, app: string): Promise<void> {
  const accepted = acceptedOf(host, app);
  if (accepted === undefined) return;
  const { level, keep, timeZone } = accepted.policy;
  const backups = await host.backups.list(app);
  const gone = expired(
    // How old one from the future is nobody knows: it takes nothing's place, and stays.
    backups
      .filter((each) => !isFromFuture(each))
      .map((each) => ({
        id: each.id,
        service: each.service,
        takenAtMs: each.takenAtMs,
        isProven: isProven(each, level),
        hasFailed: each.failed !== undefined,
        isPinned: each.pin !== undefined,
      })),
    keep,
    timeZone,
  );
  const known = backups.map(({ id }) => id).filter((id) => !gone.includes(id));
  // Before they go: what is deleted here is not to be missed later.
  accept(host, app, { ...accepted, known });
  for (const id of gone) await host.backups.remove(app, id);
}
