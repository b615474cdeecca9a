import type { BakePolicy } from "../../core/release/release-spec.ts";
import type { EdgeCounters } from "../edge/edge.ts";

/** What visitors met so far. */
export interface BakeFigures {
  requests: number;
  failed: number;
  /** Mean time until the app answered, in milliseconds; 0 without requests. */
  responseMs: number;
}

/** Sums the edge's counters over servers and workers; what a worker had counted stays when it ends. */
export class BakeTally {
  readonly #last = new Map<string, EdgeCounters>();

  add(counters: readonly EdgeCounters[]): BakeFigures {
    for (const each of counters) this.#last.set(`${each.worker}/${each.backend}/${each.server}`, each);
    const all = [...this.#last.values()];
    const requests = sum(all, (each) => each.requests);
    const weighted = sum(all, (each) => each.responseMs * each.requests);
    return { requests, failed: sum(all, (each) => each.failed), responseMs: requests === 0 ? 0 : weighted / requests };
  }
}

/** How far beyond the mean chance may go, in standard deviations, before the end of the bake. */
const beyondChance = 3;

/**
 * Why the release has to go back, or undefined. At the end the share of failed requests decides. Before the end one
 * failure among the first 20 requests would be 5 %, and a good release would often be taken back for it; so until then
 * there must be more failures than the allowed rate explains by chance.
 */
export function judge(figures: BakeFigures, policy: BakePolicy, isOver: boolean): string | undefined {
  const { requests, failed, responseMs } = figures;
  if (requests < policy.minRequests) return undefined;
  const expected = requests * policy.maxErrorRate;
  const spread = Math.sqrt(expected * (1 - policy.maxErrorRate));
  if (failed > expected + (isOver ? 0 : beyondChance * spread)) {
    return `${failed} of ${requests} requests failed (${percent(failed / requests)}; ${percent(policy.maxErrorRate)} is allowed)`;
  }
  if (!isOver || policy.maxLatencyMs === undefined || responseMs <= policy.maxLatencyMs) return undefined;
  return `it answered ${requests} requests after ${Math.round(responseMs)} ms in the mean (${policy.maxLatencyMs} ms is allowed)`;
}

/** The figures for people: `612 requests, 0 failed`. */
export function describeFigures({ requests, failed }: BakeFigures): string {
  return `${requests} requests, ${failed} failed`;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}

function sum(all: readonly EdgeCounters[], value: (each: EdgeCounters) => number): number {
  return all.reduce((total, each) => total + value(each), 0);
}
