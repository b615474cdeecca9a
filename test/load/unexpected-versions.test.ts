import { expect, test } from "@jest/globals";
import type { RequestRecord } from "./recording.ts";
import { findUnexpected } from "./unexpected-versions.ts";

const STARTED_AT_MS = 1_000_000;
const SWITCH_MS = STARTED_AT_MS + 500;

/** A request sent at an offset from the start of the stream, and answered so much later. */
function answered(version: string, sentMs: number, tookMs: number, lagMs = 0): RequestRecord {
  return { sequence: 0, sentMs, lagMs, latencyMs: tookMs + lagMs, kind: "ok", status: 200, version, reused: false };
}

const allowed = [
  { version: "v1", toMs: SWITCH_MS },
  { version: "v2", fromMs: SWITCH_MS },
];

test.each([
  ["the old one before the switch", answered("v1", 400, 10), 0],
  ["the old one, sent before and answered long after the switch", answered("v1", 490, 5_000), 0],
  ["the old one, sent after the switch", answered("v1", 501, 10), 1],
  ["the new one, answered before the switch", answered("v2", 400, 10), 1],
  ["the new one, answered before the switch by a generator that lagged", answered("v2", 400, 10, 300), 1],
  ["the new one, sent before and answered after the switch", answered("v2", 495, 10), 0],
  ["a version nobody named", answered("v3", 900, 10), 1],
])("%s", (_what, record, unexpected) => {
  expect(findUnexpected([record], STARTED_AT_MS, allowed).answers).toBe(unexpected);
});

test("a version that was taken back may answer in two intervals", () => {
  const rollback = [...allowed, { version: "v1", fromMs: SWITCH_MS + 200 }];
  expect(findUnexpected([answered("v1", 600, 10)], STARTED_AT_MS, rollback).answers).toBe(1);
  expect(findUnexpected([answered("v1", 700, 10)], STARTED_AT_MS, rollback).answers).toBe(0);
});

test("counts all and keeps a hundred examples", () => {
  const found = findUnexpected(
    Array.from({ length: 150 }, () => answered("v9", 1, 2)),
    STARTED_AT_MS,
    allowed,
  );
  expect(found.answers).toBe(150);
  expect(found.examples).toHaveLength(100);
  expect(found.examples[0]).toEqual({ version: "v9", sentAtMs: STARTED_AT_MS + 1, answeredAtMs: STARTED_AT_MS + 3 });
});
