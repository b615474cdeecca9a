import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import type * as z from "zod";
import { backupId } from "../../core/backup/backup-policy.ts";
import { IkomaError } from "../../core/errors.ts";
import type { Host, OperationContext } from "../host.ts";
import type { Params } from "../protocol/methods.ts";
import type { OperationInput, OperationResult } from "../protocol/operations.ts";
import { settleBackups } from "./accepted-backup.ts";
import { backupFiles, backupManifest } from "./backup-manifest.ts";
import type { BackupManifest } from "./backup-manifest.ts";
import { viewOf } from "./backup-view.ts";
import { factsOf } from "./file-hash.ts";
import { freeBytesAt, requireRoom } from "./free-space.ts";
import { verifyBackup } from "./verify-backup.ts";

/** Writes a piece of a file at its place, in the folder of a backup that is not finished. A repeat changes nothing. */
export async function writeBackupPiece(
  host: Host,
  { app, id, file: name, offset, data }: Params<"backup.write">,
): Promise<Record<string, never>> {
  if (!backupId.safeParse(id).success) throw new IkomaError("BACKUP_NOT_FOUND", `${id} is no id of a backup.`);
  await host.backups.beginImport(app, id);
  const bytes = Buffer.from(data, "base64");
  requireRoom({
    what: `Bringing the backup ${id} here`,
    neededBytes: bytes.length,
    freeBytes: await freeBytesAt(host.paths.root),
  });
  const file = await open(host.backups.unfinishedPath(app, id, name), constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    await file.write(bytes, 0, bytes.length, offset);
  } finally {
    await file.close();
  }
  return {};
}

/**
 * Takes in a backup whose files were written here. It is held against its own manifest first, and what that says of
 * earlier proofs is not believed: it is proven on this host.
 *
 * @throws BACKUP_UNVERIFIED where a file is not the manifest's; nothing of it is left then
 */
export async function importBackup(
  host: Host,
  { app, id, level }: OperationInput<"backup.import">,
  op: OperationContext,
): Promise<OperationResult<"backup.import">> {
  await op.enter("recording");
  try {
    await host.backups.commit(await checkedManifest(host, app, id));
  } catch (error) {
    await host.backups.abandon(app, id);
    throw error;
  }
  const backup = await verifyBackup(host, await host.backups.get(app, id), level, op);
  await settleBackups(host, app);
  return { backup: viewOf(backup) };
}

const unproven = backupManifest.omit({ verified: true, failed: true, damaged: true, offsite: true }).strip();

async function checkedManifest(host: Host, app: string, id: string): Promise<BackupManifest> {
  const refuse = (message: string): never => {
    throw new IkomaError("BACKUP_UNVERIFIED", `What was brought as the backup ${id} is refused: ${message}.`);
  };
  const manifest = await readManifest(host.backups.unfinishedPath(app, id, "manifest")).catch((error: unknown) =>
    refuse(`its manifest cannot be read (${error instanceof Error ? error.message : String(error)})`),
  );
  if (manifest.app !== app || manifest.id !== id) refuse(`its manifest is of ${manifest.id} of ${manifest.app}`);
  const files = { ...manifest.files };
  for (const name of backupFiles) {
    const found = await factsOf(host.backups.unfinishedPath(app, id, name)).catch(() => refuse(`it has no ${name}`));
    if (found.sha256 !== files[name].sha256) refuse(`the checksum of its ${name} is another than when it was taken`);
    files[name] = found;
  }
  return { ...manifest, files, pin: manifest.pin ?? "it was brought here" };
}

async function readManifest(path: string): Promise<z.infer<typeof unproven>> {
  return unproven.parse(JSON.parse(await readFile(path, "utf8")));
}
