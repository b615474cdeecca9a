import { expect, test } from "@jest/globals";
import { Cron } from "croner";
import fc from "fast-check";
import { cronOf } from "./cron-expression.ts";

test.each([
  ["hourly", "0 * * * *"],
  ["daily 03:00", "0 3 * * *"],
  ["Daily 23:59", "59 23 * * *"],
  ["weekly sunday 04:05", "5 4 * * 0"],
  ["weekly Wed 04:05", "5 4 * * 3"],
  [" 5  4 * * * ", "5 4 * * *"],
  ["*/15 0-6 1,15 jan-mar mon", "*/15 0-6 1,15 jan-mar mon"],
])("%s", (schedule, cron) => {
  expect(cronOf(schedule)).toBe(cron);
});

test.each([
  "",
  "5/10 * * * *",
  "daily",
  "daily 24:00",
  "daily 3:00",
  "weekly someday 03:00",
  "60 * * * *",
  "* * * *",
  "* * * * * *",
  "5-1 * * * *",
  "*/0 * * * *",
  "1--2 * * * *",
  "@daily",
  "a b c d e",
])("%p is no schedule", (schedule) => {
  expect(cronOf(schedule)).toBeUndefined();
});

test("whatever is taken for a schedule has a next moment", () => {
  const number = fc.integer({ min: 0, max: 70 }).map(String);
  const part = fc.oneof(
    fc.constant("*"),
    number,
    fc.tuple(number, number).map(([a, b]) => `${a}-${b}`),
  );
  const field = fc
    .tuple(part, fc.option(fc.integer({ min: 0, max: 70 })))
    .map(([p, step]) => (step === null ? p : `${p}/${step}`));
  fc.assert(
    fc.property(fc.array(field, { minLength: 5, maxLength: 5 }), (fields) => {
      const cron = cronOf(fields.join(" "));
      // 30 February is a date to the expression, and never comes.
      if (cron !== undefined) expect(() => new Cron(cron).nextRun(new Date("2026-01-01T00:00:00Z"))).not.toThrow();
    }),
  );
});
