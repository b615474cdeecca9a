import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { keepRules } from "../../core/backup/backup-policy.ts";
import { expired } from "./retention.ts";
import type { RetainedBackup } from "./retention.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const noon = Date.parse("2026-11-26T12:00:00Z");

function taken(agoMs: number, more: Partial<RetainedBackup> = {}): RetainedBackup {
  return {
    id: `${agoMs / hourMs} h`,
    service: "db",
    takenAtMs: noon - agoMs,
    isProven: true,
    isPinned: false,
    ...more,
  };
}

describe("by the calendar", () => {
  const keep = keepRules.parse({ last: 1, daily: 3, weekly: 0, monthly: 0 });

  test("of each day the newest stays, for as many days as there are to be", () => {
    const backups = [0, 2, 24, 26, 48, 72, 96].map((hours) => taken(hours * hourMs));
    expect(expired(backups, keep, "UTC")).toEqual(["2 h", "26 h", "72 h", "96 h"]);
  });

  test("days without any do not count", () => {
    const backups = [0, 10, 20, 30].map((days) => taken(days * dayMs));
    expect(expired(backups, keep, "UTC")).toEqual(["720 h"]);
  });

  test("a day begins where the time zone has its midnight", () => {
    const [late, early] = [taken(13 * hourMs), taken(12.5 * hourMs)]; // 23:00 and 23:30 UTC of the day before
    const rules = keepRules.parse({ last: 1, daily: 2, weekly: 0, monthly: 0 });
    expect(expired([taken(0), early, late], rules, "UTC")).toEqual([late.id]);
    const before = taken(14 * hourMs); // 22:00 UTC, 23:00 in Paris: the day before there, the others are today
    expect(expired([taken(0), early, before], rules, "Europe/Paris")).toEqual([early.id]);
  });

  test("weeks begin on Monday, months on the first", () => {
    const rules = keepRules.parse({ last: 1, daily: 0, weekly: 2, monthly: 2 });
    const [sunday, monday] = ["2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z"].map((at) => taken(noon - Date.parse(at)));
    const october = taken(noon - Date.parse("2026-10-31T23:59:00Z"));
    const backups = [taken(0), monday, sunday, october].filter((each) => each !== undefined);
    expect(expired(backups, rules, "UTC")).toEqual([monday?.id]);
  });
});

test("nothing goes while nothing newer was proven", () => {
  const keep = keepRules.parse({ last: 1, daily: 0, weekly: 0, monthly: 0 });
  const unproven = [0, 24, 48].map((hours) => taken(hours * hourMs, { isProven: false }));
  expect(expired(unproven, keep, "UTC")).toEqual([]);
  const [newest, ...older] = unproven;
  expect(newest && expired([newest, taken(hourMs), ...older], keep, "UTC")).toEqual(["24 h", "48 h"]);
});

test("those whose proof failed are thinned out as the proven ones are, so that trying again does not fill the disk", () => {
  const keep = keepRules.parse({ last: 2, daily: 3, weekly: 0, monthly: 0 });
  const failed = [0, 1, 2, 3, 24, 25].map((hours) => taken(hours * hourMs, { isProven: false, hasFailed: true }));
  expect(expired(failed, keep, "UTC")).toEqual(["2 h", "3 h", "25 h"]);
  const [first, second, third] = failed.map((each) => ({ ...each, isPinned: each.id === "2 h" }));
  const unlooked = taken(4 * hourMs, { isProven: false });
  const all = [first, second, third, ...failed.slice(3), unlooked, taken(30 * hourMs), taken(31 * hourMs)];
  expect(
    expired(
      all.filter((each) => each !== undefined),
      keep,
      "UTC",
    ),
  ).toEqual(["3 h", "25 h"]);
});

const backup = fc.record({
  service: fc.constantFrom("db", "archive"),
  takenAtMs: fc.integer({ min: noon - 800 * dayMs, max: noon + 2 * dayMs }),
  isProven: fc.boolean(),
  isPinned: fc.boolean(),
});
const someBackups = fc
  .array(backup, { maxLength: 60 })
  .map((all) => all.map((each, at) => ({ ...each, id: String(at) })));
const few = fc.integer({ min: 0, max: 6 });
const rules = fc.record({ last: fc.integer({ min: 1, max: 4 }), hourly: few, daily: few, weekly: few, monthly: few });
const zones = fc.constantFrom("UTC", "Europe/Paris", "Pacific/Auckland");

describe("whatever there is and whatever the rules say", () => {
  test("the newest proven one of each database stays, with what is pinned and what is as new", () => {
    fc.assert(
      fc.property(someBackups, rules, zones, (all, keep, zone) => {
        const gone = new Set(expired(all, keep, zone));
        for (const service of ["db", "archive"]) {
          const own = all.filter((each) => each.service === service);
          const newestMs = Math.max(...own.filter((each) => each.isProven).map((each) => each.takenAtMs));
          const mustStay = own.filter((each) => each.isPinned || !(each.takenAtMs < newestMs));
          expect(mustStay.filter((each) => gone.has(each.id))).toEqual([]);
        }
      }),
    );
  });

  test("a second look finds nothing more", () => {
    fc.assert(
      fc.property(someBackups, rules, zones, (all, keep, zone) => {
        const gone = new Set(expired(all, keep, zone));
        expect(
          expired(
            all.filter((each) => !gone.has(each.id)),
            keep,
            zone,
          ),
        ).toEqual([]);
      }),
    );
  });

  test("rules that keep more delete nothing that others keep", () => {
    fc.assert(
      fc.property(someBackups, rules, rules, zones, (all, keep, more, zone) => {
        const sum = Object.fromEntries(
          Object.entries(keep).map(([rule, count]) => [rule, count + more[rule as "last"]]),
        );
        const gone = new Set(expired(all, keep, zone));
        expect(expired(all, keepRules.parse(sum), zone).filter((id) => !gone.has(id))).toEqual([]);
      }),
    );
  });
});
