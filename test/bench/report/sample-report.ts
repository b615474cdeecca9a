import type { BenchmarkReport, LoadRow } from "./benchmark-report.ts";
import { spreadOf } from "./spread.ts";

/** A row for tests, of two rounds in which all went well, but for what `more` says. */
export function sampleRow(more: Partial<LoadRow>): LoadRow {
  return {
    ...{ load: { ratePerSecond: 200, mode: "keep-alive" }, roller: "ikoma", isChange: false, rounds: 2 },
    ...{ sent: 4_000, failed: 0, failures: {}, failingMs: 0 },
    ...{ latencyMs: { p50: 1, p99: 10, max: 40 }, lagP99Ms: 2 },
    ...more,
  };
}

/** A report for tests in which every bar is met, but for what `more` says. */
export function sampleReport(more: Partial<BenchmarkReport>): BenchmarkReport {
  const loads = [1, 0.5, 0.2] as [number, number, number];
  return {
    ...{ takenOn: "2026-01-31", commit: "0123456789" },
    machine: {
      ...{ cores: 2, memoryGiB: 24, loadAtStart: loads, idleAtStart: 0.97, loadAtEnd: loads },
      versions: { node: "24.0.0" },
    },
    commands: {
      deploy: spreadOf([1_300, 1_200, 1_400]),
      rollback: spreadOf([1_300]),
      "nothing changed": spreadOf([800]),
      "ikoma status": spreadOf([120]),
      "ikoma --version": spreadOf([60]),
      "deploy by plain compose": spreadOf([6_500]),
    },
    crashToldMs: spreadOf([350]),
    switchBackMs: spreadOf([11]),
    underLoad: [
      sampleRow({}),
      sampleRow({ isChange: true, latencyMs: { p50: 1, p99: 20, max: 60 }, changeMs: spreadOf([1_500]) }),
      sampleRow({ roller: "plain compose" }),
      sampleRow({ roller: "plain compose", isChange: true, failed: 111, failures: { "connection-refused": 111 } }),
    ],
    skipped: [{ what: "kamal", why: "not given: skipped" }],
    memory: {
      looks: [{ deploys: 100, agentMiB: 75, edgeMiB: 21, totalMiB: 96 }],
      ...{ sent: 7_000, failed: 0, deployMs: spreadOf([700]) },
    },
    ...more,
  };
}
