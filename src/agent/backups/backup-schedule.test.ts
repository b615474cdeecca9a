import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { dueAt, nextAfter, overdueSince } from "./backup-schedule.ts";
import type { ScheduleState } from "./backup-schedule.ts";
import { graceMs } from "./patience.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const nightly = { schedule: "daily 03:00", timeZone: "UTC" };

function at(moment: string): number {
  return Date.parse(moment);
}

function state(more: Partial<ScheduleState> = {}): ScheduleState {
  return { sinceMs: at("2026-11-20T12:00:00Z"), newestMs: undefined, failures: 0, lastFailureMs: undefined, ...more };
}

test.each([
  { schedule: "daily 03:00", timeZone: "UTC", next: "2026-11-27T03:00:00Z" },
  { schedule: "daily 03:00", timeZone: "Europe/Paris", next: "2026-11-27T02:00:00Z" },
  { schedule: "weekly sunday 04:30", timeZone: "UTC", next: "2026-11-29T04:30:00Z" },
  { schedule: "hourly", timeZone: "UTC", next: "2026-11-26T13:00:00Z" },
  { schedule: "*/20 2-4 * * mon-fri", timeZone: "UTC", next: "2026-11-27T02:00:00Z" },
])("$schedule in $timeZone", ({ schedule, timeZone, next }) => {
  expect(nextAfter({ schedule, timeZone }, at("2026-11-26T12:00:00Z"))).toBe(at(next));
});

test("a night of which the hour does not exist has a backup all the same, and one with the hour twice has one", () => {
  const paris = { schedule: "daily 02:30", timeZone: "Europe/Paris" };
  const spring = nextAfter(paris, at("2026-03-28T12:00:00Z")) ?? 0;
  expect(spring - at("2026-03-29T00:00:00Z")).toBeLessThanOrEqual(2 * hourMs);
  const autumn = nextAfter(paris, at("2026-10-24T12:00:00Z")) ?? 0;
  expect((nextAfter(paris, autumn) ?? 0) - autumn).toBeGreaterThan(20 * hourMs);
});

describe("when the next one is due", () => {
  test("after the newest proven backup, whoever had it taken", () => {
    const newestMs = at("2026-11-26T03:00:04Z");
    expect(dueAt(nightly, state({ newestMs }), at("2026-11-26T12:00:00Z"))).toBe(at("2026-11-27T03:00:00Z"));
  });

  test("once for however many moments have passed while the host was off", () => {
    const nowMs = at("2026-11-26T12:00:00Z");
    const due = dueAt(nightly, state({ newestMs: at("2026-11-20T03:00:04Z") }), nowMs);
    expect(due).toBeLessThan(nowMs);
    expect(dueAt(nightly, state({ newestMs: nowMs }), nowMs)).toBeGreaterThan(nowMs);
  });

  test("after a failure again soon, then ever later, at most an hour", () => {
    const lastFailureMs = at("2026-11-26T03:00:10Z");
    const retryAfter = (failures: number): number =>
      (dueAt(nightly, state({ failures, lastFailureMs }), lastFailureMs) ?? 0) - lastFailureMs;
    expect([1, 2, 3, 9].map((failures) => retryAfter(failures) / minuteMs)).toEqual([5, 10, 20, 60]);
  });

  test("without a schedule never", () => {
    expect(dueAt({ schedule: undefined, timeZone: "UTC" }, state(), Date.now())).toBeUndefined();
  });

  test("whatever the clock does, within a day and a period at the latest", () => {
    fc.assert(
      fc.property(fc.integer({ min: -400, max: 400 }), fc.integer({ min: 0, max: 23 }), (days, hours) => {
        const nowMs = at("2026-11-26T00:00:00Z") + hours * hourMs;
        const due = dueAt(nightly, state({ newestMs: nowMs + days * dayMs }), nowMs) ?? Infinity;
        expect(due - nowMs).toBeLessThanOrEqual(dayMs);
      }),
    );
  });
});

test("overdue is what is missing for longer than the grace, from the moment at which it was due", () => {
  const newestMs = at("2026-11-25T03:00:04Z");
  const due = at("2026-11-26T03:00:00Z");
  expect(overdueSince(nightly, state({ newestMs }), due + graceMs)).toBeUndefined();
  expect(overdueSince(nightly, state({ newestMs }), due + graceMs + 1)).toBe(due);
  expect(overdueSince(nightly, state({ newestMs: due + 1000 }), due + 2 * graceMs)).toBeUndefined();
});
