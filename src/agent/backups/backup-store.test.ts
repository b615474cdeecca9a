import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdtemp, readdir, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { aBackupOn, beginBackup, pieces } from "../../../test/doubles/backups/backup-on-host.ts";
import type { BackupManifest } from "./backup-manifest.ts";
import { BackupStore } from "./backup-store.ts";
import { writeStream } from "./file-hash.ts";

let root: string;
let store: BackupStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "ikoma-backups-"));
  store = new BackupStore(join(root, "backups"));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

function begun(): Promise<BackupManifest> {
  return beginBackup(store);
}

function taken(takenAtMs = Date.now()): Promise<BackupManifest> {
  return aBackupOn(store, { takenAtMs });
}

test("a backup counts once it is whole, and is root's alone", async () => {
  const manifest = await begun();
  expect(await store.list("shop")).toEqual([]);
  await store.commit(manifest);
  expect(await store.list("shop")).toEqual([manifest]);
  expect(manifest.files.dump.bytes).toBe("a dump in pieces".length);
  const folder = store.folder("shop", manifest.id);
  const modes = await Promise.all(
    [
      join(root, "backups"),
      join(root, "backups/shop"),
      folder,
      ...(await readdir(folder)).map((name) => join(folder, name)),
    ].map(async (path) => ((await stat(path)).mode & 0o777).toString(8)),
  );
  expect(modes).toEqual(["700", "700", "700", "600", "600", "600"]);
});

test("what was cut off is swept, and what is whole stays", async () => {
  const whole = await taken();
  const half = await begun();
  expect(await store.sweep("shop")).toEqual([`${half.id}.partial`]);
  expect(await store.list("shop")).toEqual([whole]);
  expect(await store.sweep("shop")).toEqual([]);
});

test("one that is deleted is gone as a whole", async () => {
  const [first, second] = [await taken(1_000), await taken(2_000)];
  await store.remove("shop", first.id);
  expect(await store.list("shop")).toEqual([second]);
  await expect(store.get("shop", first.id)).rejects.toMatchObject({ code: "BACKUP_NOT_FOUND" });
});

test("no name leads out of the folder", async () => {
  await expect(store.get("shop", "../../etc")).rejects.toMatchObject({ code: "BACKUP_NOT_FOUND" });
});

test("a file that is gone, cut short or altered is told; one that was only touched is well", async () => {
  const manifest = await taken();
  const path = store.path("shop", manifest.id, "dump");
  expect(await store.fault(manifest)).toBeUndefined();
  await utimes(path, new Date(), new Date(0));
  expect(await store.fault(manifest)).toBeUndefined();
  await writeFile(path, "a dump in pieceZ");
  expect(await store.fault(manifest)).toContain("checksum");
  await truncate(path, 3);
  expect(await store.fault(manifest)).toContain("3 bytes");
  await rm(path);
  expect(await store.fault(manifest)).toContain("missing");
});

test("a file that was altered and has its old time is found when all is read", async () => {
  const manifest = await taken();
  const path = store.path("shop", manifest.id, "dump");
  const { atime, mtime } = await stat(path);
  await writeFile(path, "a dump in pieceZ");
  await utimes(path, atime, mtime);
  const asTouched = {
    ...manifest,
    files: { ...manifest.files, dump: { ...manifest.files.dump, modifiedMs: (await stat(path)).mtimeMs } },
  };
  expect(await store.fault(asTouched)).toBeUndefined();
  expect(await store.fault(asTouched, { readAll: true })).toContain("checksum");
});

test("one without a manifest is told, and counts for nothing", async () => {
  const manifest = await taken();
  await rm(join(store.folder("shop", manifest.id), "manifest.json"));
  expect(await store.list("shop")).toEqual([]);
  expect(await store.unreadable("shop")).toEqual([manifest.id]);
});

test("a disk that is full is an error, not a short file", async () => {
  await expect(writeStream("/dev/full", pieces("one byte is too many"))).rejects.toMatchObject({ code: "ENOSPC" });
});
