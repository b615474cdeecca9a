import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { rm, writeFile } from "node:fs/promises";
import { aBackupOn } from "../../../test/doubles/backups/backup-on-host.ts";
import { TestHost } from "../../../test/doubles/host/host.ts";
import { backupPolicy } from "../../core/backup/backup-policy.ts";
import { latestVerifiedBackup } from "../database/latest-verified-backup.ts";
import { accept, acceptedOf, settleBackups } from "./accepted-backup.ts";
import type { BackupManifest } from "./backup-manifest.ts";
import { listBackups, readBackupFile, readBackupPart, readBackupStatus } from "./read-backups.ts";

const hourMs = 3_600_000;
const policy = backupPolicy.parse({ schedule: "hourly", keep: { last: 1, daily: 0, weekly: 0, monthly: 0 } });

let on: TestHost;

beforeEach(async () => {
  on = await TestHost.create();
});

afterEach(async () => {
  await on.dispose();
});

function proven(hoursAgo: number, more: Partial<BackupManifest> = {}): Promise<BackupManifest> {
  const takenAtMs = Date.now() - hoursAgo * hourMs;
  return aBackupOn(on.host.backups, { takenAtMs, verified: { level: "compare", atMs: takenAtMs }, ...more });
}

/** The policy comes into force with the backups that there are. */
async function inForce(): Promise<void> {
  accept(on.host, "shop", { policy, service: "db", sinceMs: Date.now() - 100 * hourMs, known: [] });
  await settleBackups(on.host, "shop");
}

async function drift(): Promise<string[]> {
  const { drift: found } = await readBackupPart(on.host, "shop", policy);
  return found.map(({ path, message }) => `${path}: ${message}`);
}

describe("what is read of the part", () => {
  test("without a policy there is none, whatever backups there are", async () => {
    await proven(0);
    expect(await readBackupPart(on.host, "shop", policy)).toMatchObject({ exists: false });
    expect(await readBackupStatus(on.host, "shop")).toBeUndefined();
  });

  test("with whole backups and the same policy it is as it was applied", async () => {
    const { id } = await proven(0);
    await inForce();
    expect(await readBackupPart(on.host, "shop", policy)).toMatchObject({ exists: true, drift: [], backup: { id } });
    const other = await readBackupPart(on.host, "shop", { ...policy, maxAgeMinutes: 5 });
    expect(other.drift).toMatchObject([{ path: "policy" }]);
  });

  test("a backup that vanished, a file that was altered, a manifest that is gone are drift", async () => {
    const [gone, altered, bare] = [await proven(0.3), await proven(0.2, { pin: "a test" }), await proven(0.1)];
    accept(on.host, "shop", { policy, service: "db", sinceMs: 0, known: [gone.id, altered.id, bare.id] });
    await rm(on.host.backups.folder("shop", gone.id), { recursive: true });
    await writeFile(on.host.backups.path("shop", altered.id, "dump"), "a dump in pieceZ");
    await rm(`${on.host.backups.folder("shop", bare.id)}/manifest.json`);
    expect(await drift()).toEqual([
      expect.stringContaining(`${gone.id} is gone`),
      expect.stringContaining(`${bare.id} is gone from the host, or cannot be read`),
      expect.stringMatching(new RegExp(`${altered.id}: .*checksum`)),
    ]);
    expect(await listBackups(on.host, "shop")).toMatchObject({ backups: [{ id: altered.id }], unreadable: [bare.id] });
  });

  test("what is known to be damaged is no news", async () => {
    await proven(0.5);
    const damaged = await proven(0.1, { damaged: { atMs: 1, message: "it was cut short" } });
    await inForce();
    await writeFile(on.host.backups.path("shop", damaged.id, "dump"), "");
    expect(await drift()).toEqual([]);
  });

  test("a schedule that is not kept is told, with the reason of the last failure", async () => {
    await proven(5);
    await inForce();
    on.host.scheduledRuns.failed("shop", Date.now(), "the disk is full");
    expect(await drift()).toEqual([expect.stringMatching(/^schedule: .* missing since .*the disk is full$/)]);
    expect(await readBackupStatus(on.host, "shop")).toMatchObject({
      overdueSinceMs: expect.any(Number) as unknown,
      lastFailure: { message: "the disk is full" },
    });
  });
});

test("what no rule keeps goes once something newer is proven, and is not missed", async () => {
  const [old, pinned, fresh] = [await proven(3), await proven(2, { pin: "before a restore" }), await proven(0)];
  accept(on.host, "shop", { policy, service: "db", sinceMs: 0, known: [old.id, pinned.id, fresh.id] });
  await settleBackups(on.host, "shop");
  expect(await on.host.backups.list("shop")).toEqual([pinned, fresh]);
  expect(acceptedOf(on.host, "shop")?.known).toEqual([pinned.id, fresh.id]);
  expect(await drift()).toEqual([]);
});

test("the latest verified backup is the newest that is proven, of that database, with its files as they were", async () => {
  const whole = await proven(3);
  await proven(2, { service: "archive" });
  const bad = await proven(1);
  await aBackupOn(on.host.backups);
  await writeFile(on.host.backups.path("shop", bad.id, "dump"), "cut");
  expect(await latestVerifiedBackup(on.host, "shop", "db")).toEqual({
    id: whole.id,
    takenAtMs: whole.takenAtMs,
    verifiedAtMs: whole.verified?.atMs,
    level: "compare",
  });
  expect(await latestVerifiedBackup(on.host, "shop", "other")).toBeUndefined();
});

test("a backup from the future, of a clock that was put back, takes the place of no other", async () => {
  const ahead = await proven(-48);
  expect(await latestVerifiedBackup(on.host, "shop", "db")).toBeUndefined();
  await proven(2);
  const newest = await proven(1);
  await inForce();
  expect((await on.host.backups.list("shop")).map(({ id }) => id)).toEqual([newest.id, ahead.id]);
  expect(await readBackupPart(on.host, "shop", policy)).toMatchObject({ backup: { id: newest.id } });
  expect(await latestVerifiedBackup(on.host, "shop", "db")).toMatchObject({ id: newest.id });
});

test("a file is read in pieces, and behind its end there is nothing", async () => {
  const { id, files } = await proven(0);
  const read = async (offset: number): Promise<string> => {
    const piece = await readBackupFile(on.host, "shop", id, "dump", offset);
    expect(piece).toMatchObject({ bytes: files.dump.bytes, sha256: files.dump.sha256 });
    return Buffer.from(piece.data, "base64").toString("utf8");
  };
  expect([await read(0), await read(7), await read(99)]).toEqual(["a dump in pieces", "in pieces", ""]);
  await expect(readBackupFile(on.host, "shop", "../x", "dump", 0)).rejects.toMatchObject({ code: "BACKUP_NOT_FOUND" });
});
