import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { aBackupOn } from "../../../test/doubles/backups/backup-on-host.ts";
import { TestHost } from "../../../test/doubles/host/host.ts";
import { aHolder } from "../../../test/doubles/host/inputs.ts";
import { backupPolicy } from "../../core/backup/backup-policy.ts";
import { OperationRunner } from "../operations/operation-runner.ts";
import { accept } from "./accepted-backup.ts";
import { lookOnce } from "./scheduled-backups.ts";

const hourMs = 3_600_000;

let on: TestHost;
let runner: OperationRunner;

beforeEach(async () => {
  on = await TestHost.create();
  runner = new OperationRunner(on.host);
});

afterEach(async () => {
  await on.dispose();
});

async function scheduled(schedule: string | undefined, newestHoursAgo: number): Promise<void> {
  const policy = backupPolicy.parse(schedule === undefined ? {} : { schedule });
  accept(on.host, "shop", { policy, service: "db", sinceMs: 0, known: [] });
  const takenAtMs = Date.now() - newestHoursAgo * hourMs;
  await aBackupOn(on.host.backups, { takenAtMs, verified: { level: "compare", atMs: takenAtMs } });
}

/** Looks, waits for what that began, and gives how often a run has failed: there is no database here. */
async function failuresAfterLook(): Promise<number> {
  await lookOnce(on.host, runner);
  await runner.inTurn("shop", () => Promise.resolve());
  return on.host.scheduledRuns.recordOf("shop").failures;
}

test("a run that fails is told, and tried again only after a pause", async () => {
  await scheduled("hourly", 3);
  expect(await failuresAfterLook()).toBe(1);
  expect(on.host.scheduledRuns.recordOf("shop").lastFailure?.message).toContain("no PostgreSQL database");
  expect(await failuresAfterLook()).toBe(1);
});

test("nothing is begun before its time, without a schedule, or while the app is deployed", async () => {
  await scheduled(undefined, 3);
  expect(await failuresAfterLook()).toBe(0);
  await scheduled("0 0 1 1 *", 0);
  expect(await failuresAfterLook()).toBe(0);
  await scheduled("hourly", 0);
  accept(on.host, "shop", {
    policy: backupPolicy.parse({ schedule: "hourly", level: "compare" }),
    service: "other",
    sinceMs: 0,
    known: [],
  });
  const holder = aHolder();
  runner.leases.connected(holder.id);
  runner.leases.take("shop", holder);
  expect(await failuresAfterLook()).toBe(0);
  runner.leases.operationEnded("shop", holder, true);
  expect(await failuresAfterLook()).toBe(1);
});

test("after the clock was put back one is caught up, and not another at each look", async () => {
  await scheduled("hourly", -48);
  expect(await failuresAfterLook()).toBe(1);
  on.host.scheduledRuns.succeeded("shop");
  await scheduled("hourly", 0);
  expect(await failuresAfterLook()).toBe(0);
});

test("one run an app at a time; a deploy breaks it off", () => {
  const { scheduledRuns } = on.host;
  const signal = scheduledRuns.begin("shop");
  expect(scheduledRuns.begin("shop")).toBeUndefined();
  expect(scheduledRuns.begin("other")?.aborted).toBe(false);
  scheduledRuns.breakOff("shop");
  expect(signal?.aborted).toBe(true);
  scheduledRuns.ended("shop");
  expect(scheduledRuns.begin("shop")?.aborted).toBe(false);
});
