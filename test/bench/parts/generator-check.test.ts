import { expect, test } from "@jest/globals";
import type { BenchLoad, GeneratorSide } from "../report/benchmark-report.ts";
import { findDisagreement } from "./generator-check.ts";

const load: BenchLoad = { ratePerSecond: 200, mode: "keep-alive" };
const good: GeneratorSide = {
  ...{ achievedPerSecond: 200.1, served: 1_000, failedByServer: 20, sent: 1_000, failed: 20 },
  ...{ p50Ms: 1, p99Ms: 22 },
};

test("generators that agree have no problem, and neither has ours alone", () => {
  expect(findDisagreement(load, good, { ...good, p50Ms: 0.3, p99Ms: 20 })).toEqual([]);
  expect(findDisagreement(load, good, undefined)).toEqual([]);
});

test.each([
  ["a rate that is off", { achievedPerSecond: 197 }, "own generator: its rate is 1.5 % off"],
  ["a failure not counted", { failed: 19 }, "own generator: counts 19 failed, the server failed 20"],
  ["a request that did not come", { served: 999 }, "own generator: sent 1000, the server got 999"],
  ["another median", { p50Ms: 3.5 }, "p50 of the two is 2.5 ms apart"],
  ["another 99th percentile", { p99Ms: 30 }, "p99 of the two is 8.0 ms apart"],
])("%s is told", (_what, change, problem) => {
  expect(findDisagreement(load, { ...good, ...change }, good)).toEqual([problem]);
});
