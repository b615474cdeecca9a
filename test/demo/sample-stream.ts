import type { StreamReport } from "../load/stream-report.ts";

/** When sample streams start, in milliseconds since the epoch. */
export const sampleStartedAtMs = 1_000_000;

/** A stream's report for tests: nothing was sent, but for what `more` says. */
export function sampleStream(more: Partial<StreamReport>): StreamReport {
  return {
    name: "load",
    url: "http://127.0.0.1/",
    mode: "post",
    ratePerSecond: 50,
    startedAtMs: sampleStartedAtMs,
    endedAtMs: sampleStartedAtMs + 3_000,
    sent: 0,
    succeeded: 0,
    failed: 0,
    failures: {},
    notSent: 0,
    statuses: {},
    connections: { opened: 0, reused: 0 },
    latencyMs: { p50: 0, p90: 0, p99: 0, max: 0 },
    lagMs: { p99: 0, max: 0 },
    windows: [],
    versions: [],
    withoutVersion: 0,
    failureExamples: [],
    acknowledgedIds: [],
    unacknowledgedIds: [],
    ...more,
  };
}
