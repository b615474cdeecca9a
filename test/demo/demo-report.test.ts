import { expect, test } from "@jest/globals";
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
}

function reportOf({ stream = {}, plain = {}, lostIds = [], serving = "v2" }: Circumstances) {
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
    underLoad: { steps: [step], report: loadOf(stream), lostIds: new Set(lostIds) },
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
