import { join } from "node:path";
import process from "node:process";
import { runChecked } from "../../lab/run-command.ts";
import { loadReportSchema } from "../../load/stream-report.ts";
import type { BenchLoad, GeneratorCheck, GeneratorSide, GeneratorTrial } from "../report/benchmark-report.ts";
import { spreadOf } from "../report/spread.ts";
import { tolerances } from "../report/tolerances.ts";
import { benchLoads } from "./change-under-load.ts";
import { startMeasuredServer, type MeasuredServer } from "./measured-server.ts";
import { findVegeta, type VegetaResult } from "./vegeta.ts";

/** Of each generator, in turns: a busy moment of the machine spoils the quantiles of one round, not their median. */
const rounds = 3;
const durationMs = 3_000;
const generator = join(import.meta.dirname, "../../load/main.ts");

/** Both generators, in turns, against a server of known faults; ours alone where vegeta is not there. */
export async function checkGenerator(): Promise<GeneratorCheck> {
  const vegeta = await findVegeta();
  const trials: GeneratorTrial[] = [];
  for (const load of benchLoads) {
    await using server = await startMeasuredServer(load.mode === "keep-alive" ? "status" : "reset");
    const [ownRounds, vegetaRounds]: [GeneratorSide[], GeneratorSide[]] = [[], []];
    for (let round = 0; round < rounds; round += 1) {
      ownRounds.push(sideOf(await runOwn(server, load), server));
      if (vegeta) vegetaRounds.push(sideOf(await vegeta.attack(server.url, load, durationMs), server));
    }
    const own = together(ownRounds);
    const other = vegeta && together(vegetaRounds);
    const problems = findDisagreement(load, own, other);
    trials.push({ load, own, ...(other !== undefined && { vegeta: other }), problems });
  }
  const missing = "not there: set VEGETA_BIN, or build it (see how to run)";
  return { vegeta: vegeta?.version ?? missing, wasCompared: vegeta !== undefined, trials };
}

async function runOwn({ url }: MeasuredServer, { ratePerSecond, mode }: BenchLoad): Promise<VegetaResult> {
  const how = ["--url", url, "--rate", String(ratePerSecond), "--mode", mode, "--duration", `${durationMs}ms`];
  const text = await runChecked(process.execPath, [generator, ...how]);
  const [stream] = loadReportSchema.parse(JSON.parse(text)).streams;
  if (stream === undefined) throw new Error("the generator reports no stream");
  const { sent, failed, latencyMs } = stream;
  return { sent, failed, p50Ms: latencyMs.p50, p99Ms: latencyMs.p99 };
}

function sideOf(result: VegetaResult, server: MeasuredServer): GeneratorSide {
  return { ...server.take(), ...result };
}

/** Counts of all rounds, rates and quantiles of the middle one. */
function together(sides: readonly GeneratorSide[]): GeneratorSide {
  const sum = (of: (side: GeneratorSide) => number): number => sides.reduce((total, each) => total + of(each), 0);
  const middle = (of: (side: GeneratorSide) => number): number => spreadOf(sides.map(of)).median;
  return {
    achievedPerSecond: middle((side) => side.achievedPerSecond),
    served: sum((side) => side.served),
    failedByServer: sum((side) => side.failedByServer),
    sent: sum((side) => side.sent),
    failed: sum((side) => side.failed),
    p50Ms: middle((side) => side.p50Ms),
    p99Ms: middle((side) => side.p99Ms),
  };
}

/** In words: what is outside the tolerances. */
export function findDisagreement(load: BenchLoad, own: GeneratorSide, vegeta: GeneratorSide | undefined): string[] {
  const sides = Object.entries({ "own generator": own, ...(vegeta !== undefined && { vegeta }) });
  const rates = sides.map(([name, { achievedPerSecond }]) => {
    const off = Math.abs(achievedPerSecond / load.ratePerSecond - 1) * 100;
    return off > tolerances.ratePercent ? `${name}: its rate is ${off.toFixed(1)} % off` : undefined;
  });
  const counts = sides.flatMap(([name, { sent, served, failed, failedByServer }]) => [
    sent === served ? undefined : `${name}: sent ${sent}, the server got ${served}`,
    failed === failedByServer ? undefined : `${name}: counts ${failed} failed, the server failed ${failedByServer}`,
  ]);
  const latencies = (["p50Ms", "p99Ms"] as const).map((figure) => {
    const apartMs = vegeta === undefined ? 0 : Math.abs(own[figure] - vegeta[figure]);
    const name = figure.slice(0, 3);
    return apartMs > tolerances[figure] ? `${name} of the two is ${apartMs.toFixed(1)} ms apart` : undefined;
  });
  return [...rates, ...counts, ...latencies].filter((each) => each !== undefined);
}
