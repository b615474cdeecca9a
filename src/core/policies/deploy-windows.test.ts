import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { weekdays } from "../config/time-zone.ts";
import { deployWindow, type DeployWindow } from "./policy-config.ts";
import { describeMoment, windowState } from "./deploy-windows.ts";

const at = (text: string): number => Date.parse(text);
const windows = (...given: object[]): DeployWindow[] => given.map((each) => deployWindow.parse(each));
const isOpen = (given: readonly DeployWindow[], text: string, app?: string): boolean =>
  windowState(given, at(text), app).isOpen;

const officeHours = windows({
  days: ["mon", "tue", "wed", "thu"],
  from: "09:00",
  to: "17:00",
  timeZone: "Europe/Paris",
});

test("without windows changes may be made at any time", () => {
  expect(isOpen([], "2026-11-28T03:00:00Z")).toBe(true);
});

describe("a window that allows", () => {
  test("is open from its first minute to before its last, in its own time zone", () => {
    // Paris is an hour ahead of UTC in November, two in July.
    expect(isOpen(officeHours, "2026-11-26T07:59:59Z")).toBe(false);
    expect(isOpen(officeHours, "2026-11-26T08:00:00Z")).toBe(true);
    expect(isOpen(officeHours, "2026-11-26T15:59:59Z")).toBe(true);
    expect(isOpen(officeHours, "2026-11-26T16:00:00Z")).toBe(false);
    expect(isOpen(officeHours, "2026-07-23T07:00:00Z")).toBe(true);
    expect(isOpen(officeHours, "2026-11-27T10:00:00Z")).toBe(false); // a Friday
  });

  test("says when it opens next, over a week-end and a change of the clock", () => {
    expect(windowState(officeHours, at("2026-11-27T10:00:30Z"))).toMatchObject({
      opensAtMs: at("2026-11-30T08:00:00Z"),
    });
    // Summer time ends in the night to Sunday, 25 October.
    expect(windowState(officeHours, at("2026-10-23T10:00:00Z"))).toMatchObject({
      opensAtMs: at("2026-10-26T08:00:00Z"),
    });
  });

  test("may end on the day after the one that it belongs to", () => {
    const night = windows({ days: ["fri"], from: "22:00", to: "02:00" });
    expect(isOpen(night, "2026-11-27T22:00:00Z")).toBe(true);
    expect(isOpen(night, "2026-11-28T01:59:00Z")).toBe(true);
    expect(isOpen(night, "2026-11-28T02:00:00Z")).toBe(false);
    expect(isOpen(night, "2026-11-27T01:00:00Z")).toBe(false); // the night to Friday
  });
});

describe("a window that denies", () => {
  const freeze = windows({ kind: "deny", dates: { first: "2026-12-20", last: "2027-01-03" }, reason: "holidays" });

  test("closes where nothing else is said, and wins over one that allows", () => {
    expect(isOpen(freeze, "2026-12-19T23:59:00Z")).toBe(true);
    expect(isOpen(freeze, "2026-12-20T00:00:00Z")).toBe(false);
    expect(isOpen(freeze, "2027-01-04T00:00:00Z")).toBe(true);
    expect(isOpen([...officeHours, ...freeze], "2026-12-22T10:00:00Z")).toBe(false);
  });

  test("is told with its reason and its end", () => {
    expect(windowState(freeze, at("2026-12-24T12:00:00Z"))).toEqual({
      isOpen: false,
      reason: "no changes from 2026-12-20 to 2027-01-03 (UTC) (holidays)",
      opensAtMs: at("2027-01-04T00:00:00Z"),
    });
  });

  test("without an end within a month names no opening", () => {
    const always = windows({ kind: "deny" });
    expect(windowState(always, at("2026-11-26T12:00:00Z"))).toMatchObject({ isOpen: false, opensAtMs: undefined });
  });
});

test("a window of one app does not hold for another, nor for what is no app's", () => {
  const ofShop = windows({ kind: "deny", apps: ["shop"] });
  expect(isOpen(ofShop, "2026-11-26T12:00:00Z", "shop")).toBe(false);
  expect(isOpen(ofShop, "2026-11-26T12:00:00Z", "blog")).toBe(true);
  expect(isOpen(ofShop, "2026-11-26T12:00:00Z")).toBe(true);
});

test("a moment is told with its day", () => {
  expect(describeMoment(at("2026-11-30T08:00:00Z"))).toBe("Mon, 30 Nov 2026, 08:00 UTC");
});

const time = fc.integer({ min: 0, max: 1439 }).map((minute) => {
  const two = (each: number): string => String(each).padStart(2, "0");
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
});
const someWindow = fc
  .record({
    kind: fc.constantFrom("allow", "deny"),
    days: fc.uniqueArray(fc.constantFrom(...weekdays), { minLength: 1 }),
    from: time,
    to: time,
    timeZone: fc.constantFrom("UTC", "Europe/Paris", "Asia/Kathmandu", "America/St_Johns"),
  })
  .filter(({ from, to }) => from !== to)
  .map((each) => deployWindow.parse(each));

test("the opening that is told is open, and every minute before it is not", () => {
  const moment = fc.integer({ min: at("2026-01-01T00:00:00Z"), max: at("2027-01-01T00:00:00Z") });
  fc.assert(
    fc.property(fc.array(someWindow, { minLength: 1, maxLength: 3 }), moment, (given, nowMs) => {
      const state = windowState(given, nowMs);
      if (state.isOpen || state.opensAtMs === undefined) return;
      expect(windowState(given, state.opensAtMs).isOpen).toBe(true);
      expect(windowState(given, state.opensAtMs - 1).isOpen).toBe(false);
    }),
    { numRuns: 40 },
  );
});
