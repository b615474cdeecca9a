import type { BackupView } from "../../agent/protocol/backup-views.ts";
import { IkomaError } from "../errors.ts";

const beforeRestore = "before the restore of ";

/** Why a backup was taken of what a restore was about to replace. */
export function safetyReason(restored: string): string {
  return `${beforeRestore}${restored}`;
}

/**
 * The backup that is meant: by its id, the beginning of one, or `latest` for the newest that was verified, is not known
 * to be bad, and was not taken of what a restore was about to replace.
 *
 * @throws BACKUP_NOT_FOUND
 */
export function chooseBackup(backups: readonly BackupView[], named: string): BackupView {
  const newestFirst = backups.toSorted((a, b) => b.takenAtMs - a.takenAtMs);
  if (named === "latest") {
    const good = newestFirst.filter(
      ({ verified, damaged, reason }) =>
        verified !== undefined && damaged === undefined && !reason.startsWith(beforeRestore),
    );
    const [newest] = good;
    if (newest === undefined) throw new IkomaError("BACKUP_NOT_FOUND", "There is no backup that was verified.");
    const services = [...new Set(good.map(({ service }) => service))].sort();
    if (services.length === 1) return newest;
    throw new IkomaError("BACKUP_NOT_FOUND", `There are backups of ${services.join(" and ")}: name one by its id.`);
  }
  const found = newestFirst.filter(({ id }) => id.toLowerCase().startsWith(named.toLowerCase()));
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  const what = only === undefined ? "No backup's id begins" : `${found.length} backups' ids begin`;
  throw new IkomaError("BACKUP_NOT_FOUND", `${what} with "${named}".`);
}
