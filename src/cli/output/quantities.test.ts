import { expect, test } from "@jest/globals";
import { formatAge, formatBytes, formatDuration, formatMoment, shortDigest, shortReference } from "./quantities.ts";

test.each([
  [0, "0.0 s"],
  [870, "0.9 s"],
  [9_960, "10 s"],
  [59_400, "59 s"],
  [185_000, "3 min 5 s"],
  [1_260_000, "21 min"],
  [7_200_000, "2 h"],
  [400_000_000, "4 days"],
])("%d ms is %s", (durationMs, text) => {
  expect(formatDuration(durationMs)).toBe(text);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_400_000, "1.4 MB"],
  [46_512_345, "47 MB"],
  [999_600_000, "1.0 GB"],
  [23e12, "23 TB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test("an age is never in the future, though clocks differ", () => {
  expect(formatAge(10_000, 5_000)).toBe("0 s ago");
  expect(formatAge(0, 61_000)).toBe("1 min ago");
});

test("moments are UTC and to the second", () => {
  expect(formatMoment(Date.UTC(2026, 10, 23, 5, 53, 36, 999))).toBe("2026-11-23 05:53:36Z");
});

test("only whole digests are cut short", () => {
  const digest = `sha256:0123456789ab${"c".repeat(52)}`;
  expect(shortDigest(digest)).toBe("0123456789ab");
  expect(shortReference(`registry.test/shop@${digest}`)).toBe("registry.test/shop@0123456789ab");
  expect(shortReference("registry.test/shop:v1")).toBe("registry.test/shop:v1");
});
