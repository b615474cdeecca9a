import { describe, expect, test } from "@jest/globals";
import { barsOf } from "./bars.ts";
import type { BenchmarkReport } from "./benchmark-report.ts";
import { benchmarksDocument } from "./benchmarks-document.ts";
import { reportTables } from "./report-page.ts";
import { sampleReport, sampleRow } from "./sample-report.ts";
import { spreadOf } from "./spread.ts";

describe("bars", () => {
  const missed = (report: BenchmarkReport): string[] =>
    barsOf(report)
      .filter(({ isMet }) => isMet === false)
      .map(({ what }) => what);

  test("all are met by a good report", () => {
    expect(barsOf(sampleReport({})).every(({ isMet }) => isMet === true)).toBe(true);
  });

  test.each<[string, Partial<BenchmarkReport>, string]>([
    ["a slow deploy", { commands: { deploy: spreadOf([1_801]) } }, "good deploy, no load"],
    ["a crash told late", { crashToldMs: spreadOf([300, 701, 800]) }, "crash told after the exit"],
    [
      "one slow way back of many",
      { switchBackMs: spreadOf([1, 2, 201]) },
      "old release serves after a failed bake's verdict",
    ],
    ["a request lost", { underLoad: [sampleRow({ isChange: true, failed: 1 })] }, "failed requests during deploys"],
    [
      "too much memory",
      {
        memory: {
          looks: [{ deploys: 100, agentMiB: 80, edgeMiB: 21, totalMiB: 101 }],
          ...{ sent: 1, failed: 0, deployMs: spreadOf([1]) },
        },
      },
      "edge + agent, resident, after a hundred deploys",
    ],
  ])("%s misses one", (_what, change, bar) => {
    expect(missed(sampleReport(change))).toEqual([bar]);
  });

  test("what plain compose loses is no bar of ours", () => {
    const lossy = sampleRow({ roller: "plain compose", isChange: true, failed: 9 });
    expect(missed(sampleReport({ underLoad: [sampleRow({ isChange: true }), lossy] }))).toEqual([]);
  });

  test("memory after fewer than a hundred deploys is not measured", () => {
    const looks = [{ deploys: 20, agentMiB: 1, edgeMiB: 1, totalMiB: 2 }];
    const memory = { looks, sent: 1, failed: 0, deployMs: spreadOf([1]) };
    expect(barsOf(sampleReport({ memory })).at(-1)).toMatchObject({ measured: undefined, isMet: undefined });
  });
});

test("tables show the figures, their ratio to the peer's and to no change, and what failed", () => {
  const text = reportTables(sampleReport({}));
  expect(text).toContain("| deploy | 1200 | 1300 | 1400 | 3 |");
  expect(text).toContain("| deploy by plain compose | 6500 | 6500 | 6500 | 1 | 5.0 × ikoma's |");
  expect(text).toContain("| ikoma, a change | 0 of 4000 | 0 | 1.0 | 20.0 (2.0 ×) | 60.0 | 1.5 s |");
  expect(text).toContain("plain compose, a change: 111 connection-refused");
  expect(text).toContain("2 cores");
  expect(text).toContain("load 1 0.5 0.2 at the start");
});

test("the document says what was not exercised: Kamal, unless it was", () => {
  expect(benchmarksDocument(sampleReport({}))).toContain("has never been run with a real one");
  const withKamal = sampleReport({ underLoad: [sampleRow({ roller: "kamal", isChange: true })], skipped: [] });
  expect(benchmarksDocument(withKamal)).not.toContain("never been run");
});

test("what was not measured is said, not left out in silence", () => {
  const text = reportTables(sampleReport({ skipped: [{ what: "bake", why: "not asked for" }] }));
  expect(text).toContain("- bake: not asked for");
});
