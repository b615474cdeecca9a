import { expect, test } from "@jest/globals";
import { backupView } from "../../../agent/protocol/backup-views.ts";
import { aBackup } from "../../../../test/doubles/agent.ts";
import { backupPolicy } from "../../../core/backup/backup-policy.ts";
import { colorsFor } from "../../output/colors.ts";
import { describeBackup } from "../backup-status-view.ts";
import { renderBackups, renderProven } from "./backup-view.ts";

const colors = colorsFor({ isTTY: false }, {});
const nowMs = aBackup.takenAtMs + 3_600_000;
const policy = backupPolicy.parse({});

test("the list says of each backup how far it is proven, and what is wrong", () => {
  const taken = { ...aBackup, id: "20261126T033000Z-bbbbbb", takenAtMs: aBackup.takenAtMs + 1 };
  const unproven = backupView.omit({ verified: true }).strip().parse(taken);
  const damaged = { ...aBackup, id: "20261126T034000Z-cccccc", damaged: { atMs: nowMs, message: "it was cut short" } };
  const text = renderBackups(
    "shop",
    { backups: [aBackup, unproven, damaged], unreadable: ["20261101T000000Z-aaaaaa"], policy, status: {} },
    colors,
    nowMs,
  );
  expect(text).toMatch(/4f2a1b +db\/shop +1 h ago +1\.0 kB +compare/);
  expect(text).toMatch(/bbbbbb .* no /);
  expect(text).toContain("damaged: it was cut short");
  expect(text).toContain("20261101T000000Z-aaaaaa cannot be read");
});

test("an app without backups and without a policy says so", () => {
  const text = renderBackups("shop", { backups: [], unreadable: [], status: {} }, colors, nowMs);
  expect(text).toBe("shop has no backup on its host.\nNo policy is in force: set `backup` of shop and apply.\n");
});

test("what is overdue, and why, is told in list and status alike", () => {
  const status = {
    newestMs: aBackup.takenAtMs,
    nextMs: nowMs,
    overdueSinceMs: nowMs,
    lastFailure: { atMs: nowMs, message: "disk" },
  };
  expect(renderBackups("shop", { backups: [aBackup], unreadable: [], policy, status }, colors, nowMs)).toMatch(
    /Overdue: .* since 2026-11-26 04:00:00Z\.\n.*failed: disk/,
  );
  expect(describeBackup(status, nowMs)).toBe(
    "verified backup 1 h ago, OVERDUE since 2026-11-26 04:00:00Z; the last attempt failed: disk",
  );
  expect(describeBackup({ nextMs: nowMs }, nowMs)).toBe("no verified backup, the next at 2026-11-26 04:00:00Z");
});

test("one that was just proven says how long its restore took", () => {
  expect(renderProven({ ...aBackup, verified: { level: "compare", atMs: 1, restoreMs: 1600 } })).toBe(
    '20261126T030000Z-4f2a1b: db/shop, 1.0 kB, 3 tables, verified to "compare"; a restore took 1.6 s\n',
  );
});
