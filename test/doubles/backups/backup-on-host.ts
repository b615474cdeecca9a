import { Buffer } from "node:buffer";
import type { BackupManifest } from "../../../src/agent/backups/backup-manifest.ts";
import type { BackupStore } from "../../../src/agent/backups/backup-store.ts";
import { writeStream } from "../../../src/agent/backups/file-hash.ts";

// eslint-disable-next-line @typescript-eslint/require-await -- what is read has to be asynchronous
export async function* pieces(...texts: readonly string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

/** Begins a backup and writes its files, which hold no dump of anything; what the manifest is to say is given back. */
export async function beginBackup(store: BackupStore, more: Partial<BackupManifest> = {}): Promise<BackupManifest> {
  const atMs = more.takenAtMs ?? Date.now();
  const id = await store.begin("shop", atMs);
  const dump = await writeStream(store.unfinishedPath("shop", id, "dump"), pieces("a dump ", "in pieces"));
  const roles = await writeStream(store.unfinishedPath("shop", id, "roles"), pieces("CREATE ROLE shop;"));
  return {
    ...{ format: 1, id, app: "shop", service: "db", database: "shop", reason: "a test", preload: "", databaseBytes: 1 },
    ...{ startedAtMs: atMs, takenAtMs: atMs, endedAtMs: atMs, tables: [] },
    server: { version: "15.1", major: 15 },
    image: { reference: "postgres", id: "sha256:1" },
    locale: { encoding: "UTF8", collate: "C", ctype: "C", provider: "c" },
    files: { dump, roles },
    ...more,
  };
}

/** The same, finished. */
export async function aBackupOn(store: BackupStore, more: Partial<BackupManifest> = {}): Promise<BackupManifest> {
  const manifest = await beginBackup(store, more);
  await store.commit(manifest);
  return manifest;
}
