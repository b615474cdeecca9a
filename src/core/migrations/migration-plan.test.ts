import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { pendingOf, refusalOf, requireCompatible, unknownTo } from "./migration-plan.ts";
import type { AppliedMigration, Guard, HistoryEntry } from "./migration-plan.ts";
import { migrationFacts } from "./migration-spec.ts";
import type { MigrationFacts } from "./migration-spec.ts";

const minute = 60_000;
const guard: Guard = { backupMinutes: 60, verifiedBackupAtMs: undefined, nowMs: 1000 * minute };

function file(version: string, more: object = {}): MigrationFacts {
  const sha256 = version.padStart(64, "0");
  return migrationFacts.parse({ version, name: "x", sha256, phase: "expand", ...more });
}

function applied({ version, name, sha256, phase }: MigrationFacts): HistoryEntry {
  return { version, name, sha256, phase, state: "applied" };
}

const drop = { rule: "drop-table", severity: "acknowledge", line: 3, message: "gone. Do not." } as const;

test("only what is still to be run is judged", () => {
  const old = file("1", { phase: "contract", findings: [drop] });
  expect(refusalOf([old, file("2")], [applied(old)], guard)).toBeUndefined();
  expect(refusalOf([old, file("2")], [], guard)).toMatchObject({
    code: "MIGRATION_REFUSED",
    message: "1_x.sql:3 drop-table: gone. Do not.",
    hint: expect.stringContaining('-- ikoma:allow drop-table reason="…"'),
  });
});

test("a reason lifts what asks for one, and what is told only needs none; a block stays", () => {
  const findings = [
    { ...drop, allowed: "because" },
    { ...drop, severity: "info" as const },
  ];
  expect(refusalOf([file("1", { findings })], [], guard)).toBeUndefined();
  const block = [{ ...drop, severity: "block" as const, allowed: "because" }];
  expect(refusalOf([file("1", { findings: block })], [], guard)).toMatchObject({ code: "MIGRATION_REFUSED" });
});

test("what takes data away needs a verified backup that is fresh, or a reason", () => {
  const files = [file("1", { phase: "contract" })];
  expect(refusalOf(files, [], guard)).toMatchObject({ code: "MIGRATION_BACKUP_MISSING" });
  const backedUp = (minutesAgo: number) => ({ ...guard, verifiedBackupAtMs: guard.nowMs - minutesAgo * minute });
  expect(refusalOf(files, [], backedUp(60))).toBeUndefined();
  expect(refusalOf(files, [], backedUp(61))?.message).toContain("the last one is 61 minutes old");
  expect(refusalOf([file("1", { phase: "contract", withoutBackup: "a cache" })], [], guard)).toBeUndefined();
});

test("a file of another text is refused, unless another tool ran it or nobody saw its end", () => {
  const [one, other] = [file("1"), { ...file("1"), sha256: "f".repeat(64) }];
  expect(refusalOf([other], [applied(one)], guard)).toMatchObject({ code: "MIGRATION_CHANGED" });
  expect(refusalOf([other], [{ ...applied(one), sha256: undefined }], guard)).toBeUndefined();
  expect(refusalOf([other], [{ ...applied(one), state: "running" }], guard)).toBeUndefined();
});

test("one that comes too late is refused; a half-done one and older history that the files lack are not", () => {
  expect(refusalOf([file("1"), file("3")], [applied(file("2")), applied(file("3"))], guard)).toMatchObject({
    code: "MIGRATION_OUT_OF_ORDER",
  });
  expect(
    refusalOf([file("3")], [applied(file("1")), { ...applied(file("3")), state: "running" }], guard),
  ).toBeUndefined();
  expect(refusalOf([], [applied(file("2"))], guard)).toBeUndefined();
});

test("running what is pending leaves nothing pending, whatever was run before", () => {
  const versions = fc.uniqueArray(fc.integer({ min: 100, max: 999 }).map(String));
  fc.assert(
    fc.property(versions, versions, (all, before) => {
      const files = all.map((version) => file(version));
      const history = before.map((version) => applied(file(version)));
      const pending = pendingOf(files, history);
      expect(pending.map(({ version }) => version)).toEqual(all.filter((each) => !before.includes(each)).toSorted());
      expect(pendingOf(files, [...history, ...pending.map(applied)])).toEqual([]);
    }),
  );
});

test("a release can live with what only adds, and with what was there before this host knew of it", () => {
  const of = (version: string, phase: "expand" | "contract", adopted = false): AppliedMigration => {
    return { version, name: "x", phase, adopted };
  };
  const database = [of("1", "contract", true), of("2", "expand"), of("3", "contract"), of("4", "expand")];
  expect(unknownTo(["1", "2", "3"], database)).toEqual({ breaking: [], staying: [of("4", "expand")] });
  const old = unknownTo(["2"], database);
  expect(old.breaking).toEqual([of("3", "contract")]);
  expect(() => {
    requireCompatible("#1 (v1)", old);
  }).toThrow(
    expect.objectContaining({
      code: "MIGRATION_INCOMPATIBLE",
      message: expect.stringMatching(/^#1 \(v1\) was made before 3_x/),
    }),
  );
});
