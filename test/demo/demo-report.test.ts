import { describe, expect, test } from "@jest/globals";
import type { LoadReport, StreamReport } from "../load/stream-report.ts";
import { buildReport } from "./demo-report.ts";
import { renderReport } from "./demo-text.ts";
import { sampleStartedAtMs as startedAtMs, sampleStream } from "./sample-stream.ts";
import type { LoadedStep } from "./under-load.ts";

const rates = { keptAlive: 200, newConnections: 200, orders: 50 };

test("all is well when nothing failed, was misled or got lost", () => {
  const report = reportOf({});

  expect(report.problems).toEqual([]);
  expect(report.ok).toBe(true);
  expect(renderReport(report)).toContain("OK: of 100 requests none failed");
});

test.each([
  ["a failed request", { stream: { failed: 1 } }, "1 requests failed"],
  ["an answer of a version that may not serve", { stream: { unexpected: { answers: 2, examples: [] } } }, "2 answers"],
  ["a lost write", { lostIds: ["load-1"] }, "1 acknowledged writes are not in the database"],
  ["a wrong version at the end of a step", { serving: "v3" }, 'after "deploy v2" v3 serves, not v2'],
  ["a load that saw no v2", { stream: { versions: [seen("v1")] } }, "the load saw no answer of v2"],
  ["a load that wrote nothing", { stream: { acknowledgedIds: [] } }, "no write was acknowledged"],
])("%s is a problem", (_, circumstances, problem) => {
  const report = reportOf(circumstances);

  expect(report.ok).toBe(false);
  expect(report.problems).toEqual([expect.stringContaining(problem)]);
  expect(renderReport(report)).toContain(`NOT OK:\n  ${problem}`);
});

describe("a release that goes bad", () => {
  const atMs = startedAtMs + 2_000;
  const worn: LoadedStep = {
    ...{ name: "deploy v4", startedAtMs: atMs, endedAtMs: atMs + 3_000, expected: "v2", goesBad: true },
    serving: { version: "v2", number: 2 },
  };
  const bad = (windows: StreamReport["windows"], failures: Record<string, number>) => {
    const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
    return { windows, failures, failed };
  };
  const inIt = [
    { atMs: 0, sent: 50, failed: 0 },
    { atMs: 2_500, sent: 50, failed: 9 },
  ];

  test("may answer 500 until it is left, and the table says that it did", () => {
    const report = reportOf({ more: [worn], stream: bad(inIt, { "status-500": 9 }) });
    expect(report).toMatchObject({ ok: true, answeredBadly: 9, total: { failed: 9 } });
    expect(report.steps.map(({ load }) => load?.failed)).toEqual([undefined, 0, 9]);
    expect(renderReport(report)).toContain("none but those 9 of v4 failed");
    expect(renderReport(report)).toContain("v2 served again 20 ms after the verdict");
  });

  test.each([
    ["a failure of another kind", bad(inIt, { "status-500": 5, "status-503": 4 }), {}, "4 requests failed"],
    [
      "a failure outside of it",
      bad([{ atMs: 0, sent: 9, failed: 2 }, ...inIt], { "status-500": 11 }),
      {},
      "2 requests",
    ],
    ["not going bad", {}, {}, "v4 did not go bad"],
    ["leaving it late", bad(inIt, { "status-500": 9 }), { switchBackMs: 201 }, "only 201 ms after"],
  ])("%s is a problem", (_, stream, more, problem) => {
    const report = reportOf({ more: [worn], stream, ...more });
    expect(report.problems).toEqual([expect.stringContaining(problem)]);
  });
});

test("what plain compose lost is told, and is no problem of ours", () => {
  const windows = [
    { atMs: 0, sent: 45, failed: 0 },
    { atMs: 100, sent: 45, failed: 45 },
    { atMs: 300, sent: 45, failed: 7 },
  ];
  const report = reportOf({ plain: { sent: 135, failed: 52, failures: { "connection-refused": 52 }, windows } });

  expect(report.ok).toBe(true);
  expect(report.plainCompose).toMatchObject({ failed: 52, failingMs: 300 });
  expect(renderReport(report)).toContain("lost 52 of 135 requests, over 0.3 s");
});

test("no line is wider than 100 columns", () => {
  const failures = { "connection-refused": 10_000, "reset-on-reused-connection": 10_000, "status-503": 10_000 };
  const report = reportOf({ stream: { sent: 1_000_000, failures }, plain: { failures } });

  for (const line of renderReport(report).split("\n")) expect(line.length).toBeLessThanOrEqual(100);
});

interface Circumstances {
  readonly stream?: Partial<StreamReport>;
  readonly plain?: Partial<StreamReport>;
  readonly lostIds?: readonly string[];
  readonly serving?: string;
  /** Steps after the first. */
  readonly more?: readonly LoadedStep[];
  readonly switchBackMs?: number;
}

function reportOf(circumstances: Circumstances) {
  const { stream = {}, plain = {}, lostIds = [], serving = "v2", more = [], switchBackMs = 20 } = circumstances;
  const step: LoadedStep = {
    name: "deploy v2",
    startedAtMs,
    endedAtMs: startedAtMs + 2_000,
    expected: "v2",
    serving: { version: serving, number: 2 },
  };
  return buildReport({
    quietSteps: [{ name: "deploy v1, the first", durationMs: 4_000 }],
    rates,
    underLoad: { steps: [step, ...more], report: loadOf(stream), switchBackMs, lostIds: new Set(lostIds) },
    plain: { durationMs: 1_500, startedAtMs, report: loadOf(plain) },
  });
}

function seen(version: string) {
  return { version, answers: 10, firstAnswerAtMs: startedAtMs + 100, lastAnswerAtMs: startedAtMs + 200 };
}

function loadOf(more: Partial<StreamReport>): LoadReport {
  const windows = [{ atMs: 0, sent: 100, failed: 0 }];
  const versions = [seen("v1"), seen("v2")];
  return { marks: [], streams: [sampleStream({ sent: 100, windows, versions, acknowledgedIds: ["load-1"], ...more })] };
}
