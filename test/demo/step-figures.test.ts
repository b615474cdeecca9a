import { expect, test } from "@jest/globals";
import type { LoadReport, StreamReport } from "../load/stream-report.ts";
import { sampleStartedAtMs as startedAtMs, sampleStream as streamOf } from "./sample-stream.ts";
import { figuresOf, firstAnswerAtMs, totalFigures, windowsAround } from "./step-figures.ts";

test("a request belongs to the step in which it was sent, and no request is counted twice", () => {
  const report = reportOf(streamOf({ windows: [window(0, 5, 0), window(100, 5, 2), window(200, 4, 1)] }));

  const first = figuresOf(report, new Set(), { fromMs: -Infinity, toMs: startedAtMs + 100 });
  const second = figuresOf(report, new Set(), { fromMs: startedAtMs + 100, toMs: Infinity });

  expect(first).toMatchObject({ sent: 5, failed: 0 });
  expect(second).toMatchObject({ sent: 9, failed: 3 });
});

test("a lost write belongs to the step in which it was due", () => {
  const report = reportOf(streamOf({ ratePerSecond: 10, acknowledgedIds: ["load-a1-0", "load-a1-7", "load-a1-12"] }));
  const lostIds = new Set(["load-a1-7"]);

  expect(figuresOf(report, lostIds, { fromMs: startedAtMs + 600, toMs: startedAtMs + 800 }).lost).toBe(1);
  expect(figuresOf(report, lostIds, { fromMs: startedAtMs + 800, toMs: Infinity }).lost).toBe(0);
});

test("answers of a version that should not serve belong to the step in which they were asked for", () => {
  const example = { version: "v3", sentAtMs: startedAtMs + 250, answeredAtMs: startedAtMs + 900 };
  const report = reportOf(streamOf({ unexpected: { answers: 1, examples: [example] } }));

  expect(figuresOf(report, new Set(), { fromMs: startedAtMs, toMs: startedAtMs + 300 }).unexpected).toBe(1);
  expect(figuresOf(report, new Set(), { fromMs: startedAtMs + 300, toMs: Infinity }).unexpected).toBe(0);
});

test("the total counts what could not even be sent, and unexpected answers beyond the examples", () => {
  const report = reportOf(streamOf({ sent: 10, failed: 4, notSent: 3, unexpected: { answers: 250, examples: [] } }));

  expect(totalFigures(report, new Set(["x"]))).toEqual({ sent: 10, failed: 4, unexpected: 250, lost: 1 });
});

test("a version's first answer is the earliest of all streams", () => {
  const seen = (firstAnswerAtMs: number) => [{ version: "v2", answers: 1, firstAnswerAtMs, lastAnswerAtMs: 9 }];
  const report = reportOf(streamOf({ versions: seen(7) }), streamOf({ versions: seen(4) }), streamOf({ versions: [] }));

  expect(firstAnswerAtMs(report, "v2")).toBe(4);
  expect(firstAnswerAtMs(report, "v3")).toBeUndefined();
});

test("windows around an instant add up the streams, and those without a request are empty", () => {
  const report = reportOf(
    streamOf({ windows: [window(0, 1, 0), window(100, 2, 1), window(300, 4, 0)] }),
    streamOf({ startedAtMs: startedAtMs + 3, windows: [window(100, 10, 0)] }),
  );

  const windows = windowsAround(report, startedAtMs + 150, 2, 3);

  expect(windows.map(({ sent }) => sent)).toEqual([0, 1, 12, 0, 4, 0]);
  expect(windows.map(({ failed }) => failed)).toEqual([0, 0, 1, 0, 0, 0]);
});

function window(atMs: number, sent: number, failed: number) {
  return { atMs, sent, failed };
}

function reportOf(...streams: StreamReport[]): LoadReport {
  return { marks: [], streams };
}
