import { expect, test } from "@jest/globals";
import { timeZone } from "./time-zone.ts";

test("a time zone is one that there is", () => {
  const isTimeZone = (name: string): boolean => timeZone.safeParse(name).success;
  expect(["UTC", "Europe/Paris", "Mars/Olympus", ""].map(isTimeZone)).toEqual([true, true, false, false]);
});
