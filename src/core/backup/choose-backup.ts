import type { BackupView } from "../../agent/protocol/backup-views.ts";
import { IkomaError } from "../errors.ts";

/**
 * The backup that is meant: by its id, the beginning of one, or `latest` for the newest that was verified and is not
 * known to be bad.
 *
 * @throws BACKUP_NOT_FOUND
 */
export function chooseBackup(backups: readonly BackupView[], named: string): BackupView {
  const newestFirst = backups.toSorted((a, b) => b.takenAtMs - a.takenAtMs);
  if (named === "latest") {
    const found = newestFirst.find((each) => each.verified !== undefined && each.damaged === undefined);
    if (found !== undefined) return found;
    throw new IkomaError("BACKUP_NOT_FOUND", "There is no backup that was verified.");
  }
  const found = newestFirst.filter(({ id }) => id.toLowerCase().startsWith(named.toLowerCase()));
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  const what = only === undefined ? "No backup's id begins" : `${found.length} backups' ids begin`;
  throw new IkomaError("BACKUP_NOT_FOUND", `${what} with "${named}".`);
}
