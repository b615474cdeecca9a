import { expect, test } from "@jest/globals";
import type { BackupView } from "../../agent/protocol/backup-views.ts";
import { chooseBackup, safetyReason } from "./choose-backup.ts";

function unproven(id: string, takenAtMs: number): BackupView {
  return { id, takenAtMs, service: "db", database: "shop", reason: "", bytes: 1, tables: 1, serverVersion: "15" };
}

function backup(id: string, takenAtMs: number, more: Partial<BackupView> = {}): BackupView {
  return { ...unproven(id, takenAtMs), verified: { level: "compare", atMs: takenAtMs }, ...more };
}

const all = [
  backup("20261125T030000Z-aaaaaa", 1),
  backup("20261126T030000Z-bbbbbb", 2),
  unproven("20261127T030000Z-cccccc", 3),
  backup("20261127T040000Z-dddddd", 4, { damaged: { atMs: 5, message: "cut" } }),
];

test("latest is the newest that is proven and not known to be bad", () => {
  expect(chooseBackup(all, "latest").id).toBe("20261126T030000Z-bbbbbb");
});

test("latest is none that a restore has taken of what it replaced: the same command again would bring that back", () => {
  const safety = backup("20261127T050000Z-eeeeee", 6, { reason: safetyReason("20261126T030000Z-bbbbbb") });
  expect(chooseBackup([...all, safety], "latest").id).toBe("20261126T030000Z-bbbbbb");
  expect(chooseBackup([...all, safety], safety.id)).toBe(safety);
});

test("where there are several databases, latest names none of them", () => {
  const other = backup("20261120T030000Z-ffffff", 0, { service: "archive" });
  expect(() => chooseBackup([...all, other], "latest")).toThrow(
    expect.objectContaining({ code: "BACKUP_NOT_FOUND", message: expect.stringContaining("of archive and db") }),
  );
});

test("the beginning of an id names it while it is the only one", () => {
  expect(chooseBackup(all, "20261127t03").id).toBe("20261127T030000Z-cccccc");
  for (const [named, message] of [
    ["20261127", "2 backups' ids begin"],
    ["2025", "No backup's id begins"],
  ])
    expect(() => chooseBackup(all, named ?? "")).toThrow(
      expect.objectContaining({ code: "BACKUP_NOT_FOUND", message: expect.stringContaining(message ?? "") }),
    );
  expect(() => chooseBackup([], "latest")).toThrow("no backup that was verified");
});
