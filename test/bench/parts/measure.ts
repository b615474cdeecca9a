import { join } from "node:path";
import process from "node:process";
import { pushTinyWeb } from "../../e2e/fixture/tiny-web.ts";
import type { BenchmarkReport } from "../report/benchmark-report.ts";
import { ikomaRoller } from "../rollers/ikoma.ts";
import { kamalRoller } from "../rollers/kamal.ts";
import { plainComposeRoller } from "../rollers/plain-compose.ts";
import type { Roller } from "../rollers/roller.ts";
import { timeCrashes, timeSwitchBack } from "./bad-releases.ts";
import { BenchStand } from "./bench-stand.ts";
import { measureUnderLoad } from "./change-under-load.ts";
import { timeCommands } from "./command-times.ts";
import { checkGenerator } from "./generator-check.ts";
import { loadAverages, machineAtStart, measuredCommit, versionsOf } from "./machine-facts.ts";

/** What can be measured by itself. */
export const partNames = ["commands", "crash", "bake", "load", "generator"] as const;
export type PartName = (typeof partNames)[number];

const checkout = join(import.meta.dirname, "../../..");

/** What to measure, and how often. */
export interface MeasureOptions {
  readonly parts: ReadonlySet<PartName>;
  /** Times that each command is timed. */
  readonly runs: number;
  /** Times that each load runs. */
  readonly rounds: number;
  /** Called with a line for people when a part begins. */
  readonly say: (line: string) => void;
}

type Figures = Pick<BenchmarkReport, "commands" | "crashToldMs" | "switchBackMs" | "underLoad" | "generator">;
type Skipped = BenchmarkReport["skipped"];

/** Brings up a machine of the lab, measures on it, and takes it down. */
export async function measure(options: MeasureOptions): Promise<BenchmarkReport> {
  const { parts, say } = options;
  const skipped: Skipped = partNames.filter((name) => !parts.has(name)).map((what) => ({ what, why: "not asked for" }));
  const figures: Figures = {};
  const takenOn = new Date().toISOString().slice(0, 10);
  const commit = await measuredCommit(checkout);
  const needsMachine = partNames.some((name) => name !== "generator" && parts.has(name));
  if (needsMachine) say("bring up a machine with agent and edge");
  await using stand = needsMachine ? await BenchStand.start() : undefined;
  const machine = await machineAtStart();
  if (stand !== undefined) await measureOnMachine(stand, options, figures, skipped);
  const versions = await versionsOf(stand && ((command) => stand.host.vps.exec(command)));
  if (parts.has("generator")) {
    say("hold the load generator against vegeta");
    figures.generator = await checkGenerator();
  }
  return { takenOn, commit, machine: { ...machine, loadAtEnd: loadAverages(), versions }, ...figures, skipped };
}

/** In this order: what is timed without load comes before anything that leaves the machine busy. */
async function measureOnMachine(
  stand: BenchStand,
  { parts, runs, rounds, say }: MeasureOptions,
  figures: Figures,
  skipped: Skipped,
): Promise<void> {
  const images = { v1: await pushTinyWeb("v1"), v2: await pushTinyWeb("v2") };
  const bundles = { v1: await stand.bundle(images.v1), v2: await stand.bundle(images.v2) };
  await stand.host.pull(images.v1.reference, images.v2.reference);
  const ikoma = await ikomaRoller(stand, bundles);
  const compose = await plainComposeRoller(stand.host, images.v1, images.v2);
  const kamal = await kamalIfGiven(stand, images, skipped);
  const peers = [compose, ...(kamal === undefined ? [] : [kamal])];
  if (parts.has("commands")) {
    say("time the commands");
    figures.commands = await timeCommands(stand, bundles, peers, runs);
  }
  if (parts.has("crash")) {
    say("time what is told of a crash");
    figures.crashToldMs = await timeCrashes(stand, runs);
  }
  if (parts.has("bake")) {
    say("time the way back from a release that goes bad");
    figures.switchBackMs = await timeSwitchBack(stand, rounds);
  }
  if (parts.has("load")) {
    say("make the same change under load, by each way");
    figures.underLoad = await measureUnderLoad([ikoma, ...peers], rounds);
  }
}

/** Kamal that cannot be set up is a line of the report, not the end of it. */
async function kamalIfGiven(
  stand: BenchStand,
  { v1, v2 }: Record<"v1" | "v2", Awaited<ReturnType<typeof pushTinyWeb>>>,
  skipped: Skipped,
): Promise<Roller | undefined> {
  const file = process.env["KAMAL_BIN"];
  if (file === undefined) {
    skipped.push({ what: "kamal", why: "not given: skipped (`KAMAL_BIN` names its executable)" });
    return undefined;
  }
  try {
    return await kamalRoller(file, await stand.folder("kamal"), stand.host.vps, v1, v2);
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
    skipped.push({ what: "kamal", why: "given, but it could not be set up" });
    return undefined;
  }
}
