import type { LoadReport } from "../load/stream-report.ts";
import type { DemoRun } from "./demo.ts";
import type { LoadRates } from "./shop-load.ts";
import type { Serving } from "./shop-project.ts";
import {
  figuresOf,
  firstAnswerAtMs,
  totalFigures,
  windowsAround,
  type LoadFigures,
  type Window,
} from "./step-figures.ts";
import type { LoadedStep } from "./under-load.ts";

/** What the app says itself; the edge would say 502, 503 or 504. */
const ownFailure = "status-500";
const latestSwitchBackMs = 200;

/** Requests per 100 ms, from a little before an instant to a little after. */
export interface WindowRow {
  /** Which of the windows the instant falls into. */
  readonly middle: number;
  readonly windows: readonly Window[];
}

/** A line of the table; figures only where the load ran. */
export interface ReportStep {
  readonly name: string;
  readonly durationMs: number;
  readonly load?: LoadFigures;
  readonly serving?: Serving;
}

/** The result of the demo, as `--json` prints it. */
export interface DemoReport {
  readonly ok: boolean;
  /** What was not as it should be. */
  readonly problems: readonly string[];
  readonly ratesPerSecond: LoadRates;
  readonly steps: readonly ReportStep[];
  readonly total: LoadFigures & { readonly durationMs: number; readonly acknowledgedWrites: number };
  readonly failures: Readonly<Record<string, number>>;
  /** Answers of 500 that the release gave which went bad: the only failures that there may be. */
  readonly answeredBadly: number;
  /** From the verdict on it until the one before served again, in ms. */
  readonly switchBackMs: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** How late the load itself was: near nothing, or the machine was too busy to believe the times. */
  readonly generatorLagMs: { readonly p99: number; readonly max: number };
  readonly answers: Readonly<Record<string, number>>;
  readonly switchToV2?: WindowRow;
  readonly plainCompose: PlainReport;
}

/** The replacement by plain compose. */
export interface PlainReport {
  readonly durationMs: number;
  readonly sent: number;
  readonly failed: number;
  readonly failures: Readonly<Record<string, number>>;
  /** How long some request of each 100 ms failed. */
  readonly failingMs: number;
  readonly replacement: WindowRow;
}

/** Sums up; a step's requests are those sent until the next one began. */
export function buildReport({ quietSteps, rates, underLoad, plain }: Omit<DemoRun, "lab" | "project">): DemoReport {
  const { report, steps, lostIds } = underLoad;
  const total = totalFigures(report, lostIds);
  const switchedAtMs = firstAnswerAtMs(report, "v2");
  const answers = countAnswers(report);
  const acknowledgedWrites = report.streams.reduce((sum, stream) => sum + stream.acknowledgedIds.length, 0);
  const durationMs = Math.max(...report.streams.map((stream) => stream.endedAtMs - stream.startedAtMs));
  const rows = steps.map((step, index) => loadedStep(step, index, underLoad));
  const failures = countFailures(report);
  const answeredBadly = Math.min(
    failures[ownFailure] ?? 0,
    rows[steps.findIndex((each) => each.goesBad)]?.load?.failed ?? 0,
  );
  const problems = [
    ...findProblems({ ...total, failed: total.failed - answeredBadly }, steps),
    ...findBlindness(answers, acknowledgedWrites),
    ...findLateness(answeredBadly, underLoad.switchBackMs, steps),
  ];
  return {
    ok: problems.length === 0,
    problems,
    ratesPerSecond: rates,
    steps: [...quietSteps, ...rows],
    total: { ...total, durationMs, acknowledgedWrites },
    failures,
    answeredBadly,
    switchBackMs: underLoad.switchBackMs,
    latencyMs: {
      p50: worst(report, ({ latencyMs }) => latencyMs.p50),
      p99: worst(report, ({ latencyMs }) => latencyMs.p99),
      max: worst(report, ({ latencyMs }) => latencyMs.max),
    },
    generatorLagMs: { p99: worst(report, ({ lagMs }) => lagMs.p99), max: worst(report, ({ lagMs }) => lagMs.max) },
    answers,
    ...(switchedAtMs !== undefined && { switchToV2: rowAround(report, switchedAtMs, 9) }),
    plainCompose: plainReport(plain),
  };
}

function loadedStep(step: LoadedStep, index: number, { steps, report, lostIds }: DemoRun["underLoad"]): ReportStep {
  const { name, startedAtMs, endedAtMs, serving } = step;
  const fromMs = index === 0 ? -Infinity : startedAtMs;
  const toMs = steps[index + 1]?.startedAtMs ?? Infinity;
  return { name, durationMs: endedAtMs - startedAtMs, load: figuresOf(report, lostIds, { fromMs, toMs }), serving };
}

function findProblems({ failed, unexpected, lost }: LoadFigures, steps: readonly LoadedStep[]): string[] {
  const counts = [
    [failed, "requests failed"],
    [unexpected, "answers came from a version that may not serve at that time"],
    [lost, "acknowledged writes are not in the database"],
  ] as const;
  const wrong = steps.filter(({ expected, serving }) => serving.version !== expected);
  return [
    ...counts.filter(([count]) => count > 0).map(([count, text]) => `${count} ${text}`),
    ...wrong.map(({ name, expected, serving }) => `after "${name}" ${serving.version} serves, not ${expected}`),
  ];
}

/** A release that went bad unnoticed shows nothing, and one that is left too late too much. */
function findLateness(answeredBadly: number, switchBackMs: number, steps: readonly LoadedStep[]): string[] {
  if (!steps.some((each) => each.goesBad)) return [];
  return [
    ...(answeredBadly === 0 ? ["v4 did not go bad"] : []),
    ...(switchBackMs <= latestSwitchBackMs ? [] : [`v2 served again only ${switchBackMs} ms after the verdict on v4`]),
  ];
}

/** A load that saw no version, or wrote nothing, would find nothing wrong either. */
function findBlindness(answers: Readonly<Record<string, number>>, acknowledgedWrites: number): string[] {
  const unseen = ["v1", "v2"].filter((version) => (answers[version] ?? 0) === 0);
  return [
    ...unseen.map((version) => `the load saw no answer of ${version}`),
    ...(acknowledgedWrites === 0 ? ["no write was acknowledged"] : []),
  ];
}

function plainReport({ durationMs, startedAtMs, report }: DemoRun["plain"]): PlainReport {
  const { sent, failed } = totalFigures(report, new Set());
  const failing = report.streams.flatMap((stream) =>
    stream.windows.filter((window) => window.failed > 0).map((window) => stream.startedAtMs + window.atMs),
  );
  const firstMs = Math.min(...failing);
  const failingMs = failing.length === 0 ? 0 : Math.max(...failing) - firstMs + 100;
  const replacement = rowAround(report, failing.length === 0 ? startedAtMs : firstMs, 4);
  return { durationMs, sent, failed, failures: countFailures(report), failingMs, replacement };
}

function rowAround(report: LoadReport, atMs: number, middle: number): WindowRow {
  const rowLength = 20;
  return { middle, windows: windowsAround(report, atMs, middle, rowLength - 1 - middle) };
}

function worst(report: LoadReport, value: (stream: LoadReport["streams"][number]) => number): number {
  return Math.max(...report.streams.map(value));
}

function countAnswers({ streams }: LoadReport): Record<string, number> {
  return sumByKey(
    streams.flatMap((stream) => stream.versions.map(({ version, answers }) => [version, answers] as const)),
  );
}

function countFailures({ streams }: LoadReport): Record<string, number> {
  return sumByKey(streams.flatMap((stream) => Object.entries(stream.failures)));
}

function sumByKey(pairs: readonly (readonly [string, number])[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [key, count] of pairs) sums[key] = (sums[key] ?? 0) + count;
  return sums;
}
