import { setTimeout as delay } from "node:timers/promises";
import { LoadProcess } from "../../load/load-process.ts";
import type { StreamReport } from "../../load/stream-report.ts";
import type { BenchLoad, LoadRow } from "../report/benchmark-report.ts";
import { spreadOf } from "../report/spread.ts";
import type { Roller } from "../rollers/roller.ts";

/** The two loads of the report. */
export const benchLoads: readonly BenchLoad[] = [
  { ratePerSecond: 200, mode: "keep-alive" },
  { ratePerSecond: 1_000, mode: "new-connections" },
];

/** How long each load runs, with a change and without: quantiles of unequal spans could not be compared. */
const spanMs = 10_000;
const beforeMs = 1_000;
/** A change that takes longer than the span has this much seen after it. */
const afterMs = 1_000;
/** An answer that takes longer is a failure. */
const timeoutMs = 5_000;

/** What one load saw. */
interface Round {
  readonly stream: StreamReport;
  readonly changeMs: number | undefined;
}

/**
 * Each way with and without a change, under each load, so many times; in turns, so that a busy moment of the machine
 * does not hit one of them alone.
 */
export async function measureUnderLoad(rollers: readonly Roller[], rounds: number): Promise<LoadRow[]> {
  const cases = benchLoads.flatMap((load) =>
    rollers.flatMap((roller) => [false, true].map((isChange) => ({ load, roller, isChange, seen: [] as Round[] }))),
  );
  for (let round = 0; round < rounds; round += 1) {
    for (const { load, roller, isChange, seen } of cases) seen.push(await runRound(load, roller, isChange));
  }
  return cases.map(({ load, roller, isChange, seen }) => rowOf(load, roller.name, isChange, seen));
}

async function runRound(load: BenchLoad, { url, domain, change }: Roller, isChange: boolean): Promise<Round> {
  await using process = await LoadProcess.start([
    { ...load, name: "bench", url, timeoutMs, connections: 20, ...(domain !== undefined && { host: domain }) },
  ]);
  const span = delay(spanMs);
  await delay(beforeMs);
  const changeMs = isChange ? await change() : undefined;
  await Promise.all([span, isChange ? delay(afterMs) : undefined]);
  const [stream] = (await process.stop()).streams;
  if (stream === undefined) throw new Error("the load reports no stream");
  return { stream, changeMs };
}

/** Sums up the rounds of one case. */
export function rowOf(load: BenchLoad, roller: string, isChange: boolean, rounds: readonly Round[]): LoadRow {
  const streams = rounds.map(({ stream }) => stream);
  const sum = (of: (stream: StreamReport) => number): number => streams.reduce((total, each) => total + of(each), 0);
  const middle = (of: (stream: StreamReport) => number): number => spreadOf(streams.map(of)).median;
  const most = (of: (stream: StreamReport) => number): number => Math.max(...streams.map(of));
  const changes = rounds.flatMap(({ changeMs }) => changeMs ?? []);
  return {
    load,
    roller,
    isChange,
    rounds: rounds.length,
    // What was due and could not be sent has failed too, and is in `failed` already.
    sent: sum(({ sent, notSent }) => sent + notSent),
    failed: sum(({ failed }) => failed),
    failures: addUp(streams.map(({ failures }) => failures)),
    failingMs: most(({ windows }) => windows.filter(({ failed }) => failed > 0).length * 100),
    latencyMs: {
      p50: middle(({ latencyMs }) => latencyMs.p50),
      p99: middle(({ latencyMs }) => latencyMs.p99),
      max: most(({ latencyMs }) => latencyMs.max),
    },
    lagP99Ms: most(({ lagMs }) => lagMs.p99),
    ...(changes.length > 0 && { changeMs: spreadOf(changes) }),
  };
}

function addUp(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const [kind, count] of counts.flatMap((each) => Object.entries(each))) total[kind] = (total[kind] ?? 0) + count;
  return total;
}
