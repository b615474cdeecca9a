import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { bakePolicy } from "../../core/release/release-spec.ts";
import { BakeTally, judge } from "./bake-verdict.ts";

const policy = bakePolicy.parse({});

function figures(requests: number, failed: number, responseMs = 1) {
  return { requests, failed, responseMs };
}

describe("at the end", () => {
  test("the share of failed requests decides", () => {
    expect(judge(figures(1000, 10), policy, true)).toBeUndefined();
    expect(judge(figures(1000, 11), policy, true)).toBe("11 of 1000 requests failed (1.1 %; 1 % is allowed)");
  });

  test("fewer requests than asked for are not judged", () => {
    expect(judge(figures(19, 19), policy, true)).toBeUndefined();
    expect(judge(figures(20, 1), policy, true)).toContain("5 %");
  });

  test("none may fail where none is allowed to", () => {
    expect(judge(figures(20, 0), { ...policy, maxErrorRate: 0 }, true)).toBeUndefined();
    expect(judge(figures(20, 1), { ...policy, maxErrorRate: 0 }, false)).toBeDefined();
  });

  test("the mean time counts only where a limit is set", () => {
    expect(judge(figures(100, 0, 900), policy, true)).toBeUndefined();
    expect(judge(figures(100, 0, 900), { ...policy, maxLatencyMs: 500 }, true)).toContain("900 ms in the mean (500 ms");
    expect(judge(figures(100, 0, 900), { ...policy, maxLatencyMs: 500 }, false)).toBeUndefined();
  });
});

describe("before the end", () => {
  test("one failure among the first requests is no verdict yet", () => {
    expect(judge(figures(20, 1), policy, false)).toBeUndefined();
    expect(judge(figures(100, 3), policy, false)).toBeUndefined();
  });

  test("an app that fails for all is told by the first requests that count", () => {
    expect(judge(figures(20, 20), policy, false)).toContain("20 of 20");
    expect(judge(figures(20, 2), policy, false)).toBeDefined();
  });

  test("never is there a verdict that the end would not give for the same figures", () => {
    fc.assert(
      fc.property(
        fc.nat(5000),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (requests, share, rate) => {
          const seen = figures(requests, Math.floor(requests * share));
          const strict = { ...policy, maxErrorRate: rate };
          if (judge(seen, strict, false) !== undefined) expect(judge(seen, strict, true)).toBeDefined();
        },
      ),
    );
  });
});

test("counters are summed over servers and workers, and stay when a worker ends", () => {
  const tally = new BakeTally();
  const counted = (worker: number, server: string, requests: number, failed: number, responseMs: number) => {
    return { worker, backend: "shop_web_80", server, requests, failed, responseMs };
  };
  expect(tally.add([])).toEqual(figures(0, 0, 0));
  expect(tally.add([counted(1, "d2-web-1", 10, 1, 5), counted(1, "d2-web-2", 30, 0, 9)])).toEqual(figures(40, 1, 8));
  expect(tally.add([counted(2, "d2-web-1", 5, 5, 5), counted(1, "d2-web-2", 40, 0, 9)])).toMatchObject({
    requests: 55,
    failed: 6,
  });
});
