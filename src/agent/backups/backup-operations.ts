import type { Host, OperationContext } from "../host.ts";
import type { OperationInput, OperationKind, OperationResult } from "../protocol/operations.ts";
import { settleBackups } from "./accepted-backup.ts";
import { backupManifest } from "./backup-manifest.ts";
import { viewOf } from "./backup-view.ts";
import { ensureBackup, provenBackup } from "./ensure-backup.ts";
import { importBackup } from "./import-backup.ts";
import { restoreBackup } from "./restore-backup.ts";
import { verifyBackup } from "./verify-backup.ts";

const unpinned = backupManifest.omit({ pin: true }).strip();

type BackupOperation = Extract<OperationKind, `backup.${string}`>;
type Handlers = {
  [K in BackupOperation]: (host: Host, input: OperationInput<K>, op: OperationContext) => Promise<OperationResult<K>>;
};

/** The operations on backups, for the catalogue. */
export const backupOperations: Handlers = {
  "backup.ensure": ensureBackup,
  "backup.remove": (host, { app }) => {
    host.parts.remove(app, "backup");
    return Promise.resolve({});
  },
  "backup.take": async (host, { app, service, level, reason }, op) => {
    const backup = await provenBackup(host, { app, service, reason }, level, op);
    await settleBackups(host, app);
    return { backup: viewOf(backup) };
  },
  "backup.verify": async (host, { app, id, level }, op) => ({
    backup: viewOf(await verifyBackup(host, await host.backups.get(app, id), level, op)),
  }),
  "backup.import": importBackup,
  "backup.pin": async (host, { app, id, pin }) => {
    const backup = unpinned.parse(await host.backups.get(app, id));
    const pinned = { ...backup, ...(pin !== null && { pin }) };
    await host.backups.update(pinned);
    return { backup: viewOf(pinned) };
  },
  "backup.restore": restoreBackup,
};
