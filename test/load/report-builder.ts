import { OK } from "./request-outcome.ts";
import type { Recording, RequestRecord } from "./recording.ts";
import type { StreamOptions } from "./stream-options.ts";
import type { AllowedVersion, StreamReport } from "./stream-report.ts";
import { findUnexpected } from "./unexpected-versions.ts";

const WINDOW_MS = 100;

/** What the report needs besides the recorded requests. */
export interface StreamRun {
  options: StreamOptions;
  recording: Recording;
  /** Milliseconds since the epoch. */
  startedAtMs: number;
  endedAtMs: number;
  notSent: number;
}

/** Sums up a stream; with `allowed` also the answers of versions that should not have answered then. */
export function buildReport(run: StreamRun, allowed?: readonly AllowedVersion[]): StreamReport {
  const records = [...run.recording.records()];
  const succeeded = records.filter((record) => record.kind === OK);
  const failures = countBy(records.filter((record) => record.kind !== OK).map((record) => record.kind));
  if (run.notSent > 0) failures["not-sent"] = run.notSent;
  const reused = records.filter((record) => record.reused).length;
  const { name, url, mode, ratePerSecond } = run.options;
  return {
    name,
    url,
    mode,
    ratePerSecond,
    startedAtMs: run.startedAtMs,
    endedAtMs: run.endedAtMs,
    sent: records.length,
    succeeded: succeeded.length,
    failed: records.length - succeeded.length + run.notSent,
    failures,
    notSent: run.notSent,
    statuses: countBy(records.flatMap((record) => record.status?.toString() ?? [])),
    connections: { opened: records.length - reused, reused },
    latencyMs: latencies(succeeded),
    lagMs: lags(records),
    windows: windows(records),
    versions: versions(records, run.startedAtMs),
    withoutVersion: succeeded.filter((record) => record.version === undefined).length,
    ...(allowed && { unexpected: findUnexpected(records, run.startedAtMs, allowed) }),
    failureExamples: run.recording.examples,
    ...writtenIds(run.options, records),
  };
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function latencies(records: readonly RequestRecord[]): StreamReport["latencyMs"] {
  const sorted = Float64Array.from(records, (record) => record.latencyMs).sort();
  return {
    p50: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
  };
}

function lags(records: readonly RequestRecord[]): StreamReport["lagMs"] {
  const sorted = Float64Array.from(records, (record) => record.lagMs).sort();
  return { p99: quantile(sorted, 0.99), max: quantile(sorted, 1) };
}

/** Nearest rank; 0 for no values. */
function quantile(sorted: Float64Array, share: number): number {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return Math.round(value * 100) / 100;
}

function windows(records: readonly RequestRecord[]): StreamReport["windows"] {
  const byStart = new Map<number, { atMs: number; sent: number; failed: number }>();
  for (const { sentMs, kind } of records) {
    const atMs = Math.floor(sentMs / WINDOW_MS) * WINDOW_MS;
    const window = byStart.get(atMs) ?? { atMs, sent: 0, failed: 0 };
    window.sent += 1;
    if (kind !== OK) window.failed += 1;
    byStart.set(atMs, window);
  }
  return [...byStart.values()];
}

function versions(records: readonly RequestRecord[], startedAtMs: number): StreamReport["versions"] {
  const seen = new Map<string, StreamReport["versions"][number]>();
  for (const { version, sentMs, lagMs, latencyMs } of records) {
    if (version === undefined) continue;
    const answeredAtMs = startedAtMs + sentMs - lagMs + latencyMs;
    const entry = seen.get(version) ?? {
      version,
      answers: 0,
      firstAnswerAtMs: answeredAtMs,
      lastAnswerAtMs: answeredAtMs,
    };
    entry.answers += 1;
    entry.firstAnswerAtMs = Math.min(entry.firstAnswerAtMs, answeredAtMs);
    entry.lastAnswerAtMs = Math.max(entry.lastAnswerAtMs, answeredAtMs);
    seen.set(version, entry);
  }
  return [...seen.values()].sort((a, b) => a.firstAnswerAtMs - b.firstAnswerAtMs);
}

function writtenIds(
  options: StreamOptions,
  records: readonly RequestRecord[],
): Pick<StreamReport, "acknowledgedIds" | "unacknowledgedIds"> {
  if (options.mode !== "post") return { acknowledgedIds: [], unacknowledgedIds: [] };
  const ids = (isAcknowledged: boolean) =>
    records
      .filter((record) => (record.kind === OK) === isAcknowledged)
      .map((record) => `${options.idPrefix}-${record.sequence}`);
  return { acknowledgedIds: ids(true), unacknowledgedIds: ids(false) };
}
