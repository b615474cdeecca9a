import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Decrypter, generateIdentity, identityToRecipient } from "age-encryption";
import { aBackupOn } from "../../../../test/doubles/backups/backup-on-host.ts";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { ObjectStorage } from "../../../../test/doubles/object-storage/index.ts";
import { waitUntil } from "../../../../test/lab/wait-until.ts";
import { backupPolicy } from "../../../core/backup/backup-policy.ts";
import { OperationRunner } from "../../operations/operation-runner.ts";
import { accept } from "../accepted-backup.ts";
import type { BackupManifest } from "../backup-manifest.ts";
import { readBackupPart, readBackupStatus } from "../read-backups.ts";
import { copyWhatIsMissing } from "./offsite-copies.ts";

let on: TestHost;
let storage: ObjectStorage;
let runner: OperationRunner;
let identity: string;

beforeEach(async () => {
  on = await TestHost.create();
  runner = new OperationRunner(on.host);
  storage = new ObjectStorage();
  await storage.start();
  identity = await generateIdentity();
});

afterEach(async () => {
  await storage.stop();
  await on.dispose();
});

async function policy() {
  const { endpoint, bucket, region, accessKeyId } = storage;
  const recipient = await identityToRecipient(identity);
  return backupPolicy.parse({ offsite: { endpoint, bucket, region, accessKeyId, recipient, prefix: "prod/" } });
}

/** A proven backup, under a policy that has it copied; `secret` is the access key's. */
async function proven(secret = storage.secret, agoMs = 0): Promise<BackupManifest> {
  accept(on.host, "shop", { policy: await policy(), service: "db", sinceMs: 0, known: [], offsiteSecret: secret });
  const atMs = Date.now() - agoMs;
  return aBackupOn(on.host.backups, { takenAtMs: atMs, verified: { level: "compare", atMs } });
}

/** Looks, and waits for the end of what that began. */
async function copied(): Promise<BackupManifest["offsite"]> {
  await copyWhatIsMissing(on.host, runner);
  await waitUntil("the copy has ended", () => {
    const isFree = on.host.offsiteRuns.begin("shop") !== undefined;
    if (isFree) on.host.offsiteRuns.ended("shop");
    return Promise.resolve(isFree);
  });
  return (await on.host.backups.list("shop")).at(-1)?.offsite;
}

async function opened(key: string): Promise<string> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return Buffer.from(await decrypter.decrypt(storage.objects.get(key) ?? Buffer.alloc(0))).toString("utf8");
}

test("the newest proven backup is copied, readable with the identity alone, and only once", async () => {
  const { id } = await proven();
  expect(await copied()).toMatchObject({ to: `${storage.endpoint} backups/prod/shop/${id}` });
  expect([...storage.objects.keys()]).toEqual(
    ["database.dump", "roles.sql", "manifest.json"].map((name) => `prod/shop/${id}/${name}.age`),
  );
  expect(await opened(`prod/shop/${id}/database.dump.age`)).toBe("a dump in pieces");
  expect(await opened(`prod/shop/${id}/manifest.json.age`)).toContain(id);
  expect([...storage.objects.values()].some((each) => each.includes("a dump"))).toBe(false);
  expect(await readdir(join(on.host.paths.backups, "shop"))).toEqual([id]);
  storage.objects.clear();
  await copied();
  expect(storage.objects.size).toBe(0);
});

test("what is read back as something else is no copy", async () => {
  await proven();
  storage.alter = (stored) => Buffer.concat([stored.subarray(0, -1), Buffer.from([(stored.at(-1) ?? 0) ^ 1])]);
  expect(await copied()).toBeUndefined();
  expect(on.host.offsiteRuns.recordOf("shop").lastFailure?.message).toContain("is not what was written");
});

test("a refusal is told without the secret, and tried again only after a pause", async () => {
  await proven("another-secret-of-a-key", 3 * 3_600_000);
  expect(await copied()).toBeUndefined();
  await copied();
  const { failures, lastFailure } = on.host.offsiteRuns.recordOf("shop");
  expect(failures).toBe(1);
  expect(lastFailure?.message).toContain("403");
  expect(lastFailure?.message).toContain("SignatureDoesNotMatch");
  expect(on.logged.join("\n")).not.toContain("another-secret-of-a-key");
  expect(await readBackupStatus(on.host, "shop")).toMatchObject({
    offsite: { lastFailure: { message: expect.any(String) as unknown } },
  });
  const { drift } = await readBackupPart(on.host, "shop", await policy());
  expect(drift).toMatchObject([{ path: "offsite", message: expect.stringContaining("no copy elsewhere") as unknown }]);
});

test("one that is not proven is not copied", async () => {
  accept(on.host, "shop", {
    policy: await policy(),
    service: "db",
    sinceMs: 0,
    known: [],
    offsiteSecret: storage.secret,
  });
  await aBackupOn(on.host.backups);
  await copied();
  expect(storage.objects.size).toBe(0);
});
