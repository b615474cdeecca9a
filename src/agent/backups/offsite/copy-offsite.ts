import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import type { OffsitePolicy } from "../../../core/backup/backup-policy.ts";
import type { Host } from "../../host.ts";
import type { BackupManifest } from "../backup-manifest.ts";
import { fileNames } from "../backup-store.ts";
import { freeBytesAt, requireRoom } from "../free-space.ts";
import { encryptFile } from "./encrypt-file.ts";
import { ObjectStore } from "./object-store.ts";
import type { StoredObject } from "./object-store.ts";

/** The manifest comes last: where it is, the rest is. */
const order = ["dump", "roles", "manifest"] as const;

/** Where the copy of a backup is, in its bucket. */
export function offsiteKey(
  { prefix }: Pick<OffsitePolicy, "prefix">,
  { app, id }: Pick<BackupManifest, "app" | "id">,
): string {
  return `${prefix}${app}/${id}`;
}

/**
 * Copies a backup to the storage, each file encrypted before it leaves the host, and reads each back: what is not there
 * byte by byte is no copy. A repeat writes the same objects again.
 */
export async function copyOffsite(
  host: Pick<Host, "backups" | "paths">,
  backup: BackupManifest,
  policy: OffsitePolicy,
  secret: string,
): Promise<void> {
  const store = new ObjectStore(policy, secret);
  const temporary = host.backups.temporaryPath(backup.app, backup.id);
  requireRoom({
    what: `The encrypted copy of ${backup.id}`,
    neededBytes: backup.files.dump.bytes,
    freeBytes: await freeBytesAt(host.paths.root),
  });
  try {
    for (const name of order) {
      const encrypted = await encryptFile(host.backups.path(backup.app, backup.id, name), temporary, policy.recipient);
      const key = `${offsiteKey(policy, backup)}/${fileNames[name]}.age`;
      await store.put(key, encrypted);
      await requireSame(await store.get(key), encrypted, key);
    }
  } finally {
    await rm(temporary, { force: true });
  }
}

async function requireSame(stored: AsyncIterable<Buffer>, { bytes, sha256 }: StoredObject, key: string): Promise<void> {
  const hash = createHash("sha256");
  let found = 0;
  for await (const chunk of stored) {
    hash.update(chunk);
    found += chunk.length;
  }
  if (found === bytes && hash.digest("hex") === sha256) return;
  throw new Error(`${key} was read back as ${found} of ${bytes} bytes, and is not what was written`);
}
