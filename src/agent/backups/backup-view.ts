import type { BackupView } from "../protocol/backup-views.ts";
import type { BackupManifest } from "./backup-manifest.ts";

/** What of a backup is told outside the host. */
export function viewOf(backup: BackupManifest): BackupView {
  const {
    id,
    service,
    database,
    reason,
    pin,
    takenAtMs,
    deployment,
    migrationHead,
    verified,
    failed,
    damaged,
    offsite,
  } = backup;
  return {
    id,
    service,
    database,
    reason,
    takenAtMs,
    bytes: backup.files.dump.bytes + backup.files.roles.bytes,
    tables: backup.tables.length,
    serverVersion: backup.server.version,
    ...(pin !== undefined && { pin }),
    ...(deployment !== undefined && { deployment }),
    ...(migrationHead !== undefined && { migrationHead }),
    ...(verified !== undefined && { verified }),
    ...(failed !== undefined && { failed }),
    ...(damaged !== undefined && { damaged }),
    ...(offsite !== undefined && { offsiteAtMs: offsite.atMs }),
  };
}
