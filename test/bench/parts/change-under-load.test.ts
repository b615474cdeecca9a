import { expect, test } from "@jest/globals";
import { sampleStream } from "../../demo/sample-stream.ts";
import type { BenchLoad } from "../report/benchmark-report.ts";
import { rowOf } from "./change-under-load.ts";

const load: BenchLoad = { ratePerSecond: 200, mode: "keep-alive" };
const latencies = (p99: number, max: number) => ({ p50: 1, p90: 2, p99, max });

test("a row adds up counts, takes the middle of quantiles and the worst of the rest", () => {
  const window = { sent: 20, failed: 3 };
  const streams = [
    sampleStream({ sent: 100, latencyMs: latencies(10, 50), lagMs: { p99: 2, max: 9 } }),
    sampleStream({ sent: 100, latencyMs: latencies(30, 40), lagMs: { p99: 5, max: 9 } }),
    sampleStream({
      ...{ sent: 98, notSent: 2, failed: 8, failures: { "status-503": 6, "not-sent": 2 } },
      ...{ latencyMs: latencies(20, 60), lagMs: { p99: 1, max: 9 } },
      windows: [
        { atMs: 0, ...window },
        { atMs: 100, ...window },
        { atMs: 200, sent: 20, failed: 0 },
      ],
    }),
  ];
  const row = rowOf(
    load,
    "ikoma",
    true,
    streams.map((stream, index) => ({ stream, changeMs: 1_000 + index })),
  );

  expect(row).toEqual({
    ...{ load, roller: "ikoma", isChange: true, rounds: 3 },
    ...{ sent: 300, failed: 8, failures: { "status-503": 6, "not-sent": 2 }, failingMs: 200 },
    ...{ latencyMs: { p50: 1, p99: 20, max: 60 }, lagP99Ms: 5 },
    changeMs: { min: 1_000, median: 1_001, max: 1_002, samples: [1_000, 1_001, 1_002] },
  });
});

test("a row without a change says nothing of how long one took", () => {
  const row = rowOf(load, "ikoma", false, [{ stream: sampleStream({}), changeMs: undefined }]);
  expect(row).not.toHaveProperty("changeMs");
});
