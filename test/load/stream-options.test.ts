import { expect, test } from "@jest/globals";
import { streamOptionsSchema, streamSetSchema } from "./stream-options.ts";
import { isAllowedTarget } from "./target-guard.ts";

const good = { url: "http://127.0.0.1:8080/", ratePerSecond: 100, mode: "keep-alive" } as const;

test.each([
  "http://localhost:1/",
  "http://127.9.9.9/",
  "http://[::1]:80/",
  "http://10.77.0.1/",
  "https://10.77.255.255/",
])("load may go to %s", (url) => {
  expect(isAllowedTarget(new URL(url))).toBe(true);
});

test.each([
  "http://10.78.0.1/",
  "http://10.76.255.255/",
  "http://192.168.1.1/",
  "http://example.org/",
  "http://localhost.example.org/",
  "http://127.0.0.1.example.org/",
  "http://0.0.0.0/",
  "http://[::ffff:8.8.8.8]/",
  "http://[fe80::1]/",
])("load may not go to %s", (url) => {
  expect(isAllowedTarget(new URL(url))).toBe(false);
  expect(streamOptionsSchema.safeParse({ ...good, url }).success).toBe(false);
});

test.each([
  ["a rate over the limit", { ratePerSecond: 2_001 }],
  ["a duration over the limit", { durationMs: 600_001 }],
  ["no rate", { ratePerSecond: 0 }],
  ["another scheme", { url: "ftp://127.0.0.1/" }],
  ["a pattern without a group", { versionPattern: "v\\d+" }],
  ["an unknown option", { retries: 3 }],
])("refuses %s", (_what, change) => {
  expect(streamOptionsSchema.safeParse(good).success).toBe(true);
  expect(streamOptionsSchema.safeParse({ ...good, ...change }).success).toBe(false);
});

test("a pattern that is no regular expression is refused, not thrown", () => {
  expect(streamOptionsSchema.safeParse({ ...good, versionPattern: "(" }).success).toBe(false);
});

test("the rate limit holds for all streams together, and names differ", () => {
  const half = { ...good, ratePerSecond: 1_000 };
  expect(
    streamSetSchema.safeParse([
      { ...half, name: "a" },
      { ...half, name: "b" },
    ]).success,
  ).toBe(true);
  expect(
    streamSetSchema.safeParse([
      { ...half, name: "a" },
      { ...half, name: "b", ratePerSecond: 1_001 },
    ]).success,
  ).toBe(false);
  expect(
    streamSetSchema.safeParse([
      { ...half, name: "a" },
      { ...half, name: "a" },
    ]).success,
  ).toBe(false);
});
