import type { BackupLevel } from "../../core/backup/backup-policy.ts";
import { isFromFuture, newestProven } from "../backups/backup-manifest.ts";
import type { Host } from "../host.ts";

/** A backup that was proven: when it was taken, and when and how far it was verified. */
export interface VerifiedBackup {
  readonly id: string;
  readonly takenAtMs: number;
  readonly verifiedAtMs: number;
  readonly level: BackupLevel;
}

/** The newest backup of an app's database that was verified by a restore at least, and whose files stand as they were written; none from the future, whose age is not known. */
export async function latestVerifiedBackup(
  host: Host,
  app: string,
  service: string,
): Promise<VerifiedBackup | undefined> {
  let backups = (await host.backups.list(app)).filter((each) => !isFromFuture(each));
  for (;;) {
    const newest = newestProven(backups, "restore", service);
    if (newest?.verified === undefined) return undefined;
    if ((await host.backups.fault(newest)) === undefined) {
      const { id, takenAtMs, verified } = newest;
      return { id, takenAtMs, verifiedAtMs: verified.atMs, level: verified.level };
    }
    backups = backups.filter((each) => each !== newest);
  }
}
