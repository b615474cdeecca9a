import { writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { LoadProcess } from "../load/load-process.ts";
import { missingWrites } from "../load/missing-writes.ts";
import type { AllowedVersion, LoadReport } from "../load/stream-report.ts";
import { loadReportFile } from "./demo-folder.ts";
import type { DemoLab } from "./demo-lab.ts";
import type { ShopVersion } from "./shop-images.ts";
import { readStoredOrders, startLoad, type LoadRates } from "./shop-load.ts";
import type { Serving, ShopProject } from "./shop-project.ts";
import type { StepLines } from "./step-lines.ts";
import type { ToolResult } from "./run-tool.ts";

/** What the load runs before the first deploy and after the last, so that both ends are seen too. */
const aloneMs = 2_000;

/** `ikoma deploy apply` of a release that fails its checks. */
const releaseFailedCode = 10;

/** A step under load; instants in milliseconds since the epoch, by the load's clock. */
export interface LoadedStep {
  readonly name: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly expected: ShopVersion;
  readonly serving: Serving;
  /** Its release goes bad with its visitors: answers of 500 are that release's own. */
  readonly goesBad?: boolean;
}

/** What the steps under load came to. */
export interface UnderLoad {
  readonly steps: readonly LoadedStep[];
  readonly report: LoadReport;
  /** From the verdict on v4 until v2 served again, as the host measured it, in ms. */
  readonly switchBackMs: number;
  /** Acknowledged ids that the database does not have. */
  readonly lostIds: ReadonlySet<string>;
}

/** What the steps need. */
export interface LoadedShop {
  readonly lab: DemoLab;
  readonly project: ShopProject;
  readonly rates: LoadRates;
  readonly bundles: Readonly<Record<ShopVersion, string>>;
  readonly lines: StepLines;
  readonly signal: AbortSignal;
}

/** How long v4 is watched at most, in seconds: it goes bad long before. */
const bakeSeconds = 20;

/** With v1 serving and the load on: v2, then v3 that fails its checks and v4 that goes bad later, then back to v1. */
export async function deployUnderLoad(shop: LoadedShop): Promise<UnderLoad> {
  const { lab, project, bundles, rates, signal } = shop;
  await using load = await startLoad(`http://${lab.vps.address}`, rates);
  const step = (name: string, expected: ShopVersion, work: () => Promise<unknown>): Promise<LoadedStep> =>
    runStep({ shop, load, name, expected, work });

  const before = await step("load alone", "v1", () => delay(aloneMs, undefined, { signal }));
  const update = await step("deploy v2", "v2", () => project.deploy(bundles.v2));
  const broken = await step("deploy v3, fails (exit 10)", "v2", () => project.deploy(bundles.v3, releaseFailedCode));
  await project.setBake(bakeSeconds);
  let switchBackMs = Number.NaN;
  const worn = await step("deploy v4, goes bad (exit 10)", "v2", async () => {
    switchBackMs = readSwitchBack(await project.deploy(bundles.v4, releaseFailedCode));
  });
  await project.setBake(0);
  const back = await step("roll back to v1", "v1", () => project.rollBack());
  await delay(aloneMs, undefined, { signal });

  const allowed: AllowedVersion[] = [
    { version: "v1", toMs: update.endedAtMs },
    { version: "v2", fromMs: update.startedAtMs, toMs: back.endedAtMs },
    { version: "v4", fromMs: worn.startedAtMs, toMs: worn.endedAtMs },
    { version: "v1", fromMs: back.startedAtMs },
  ];
  const report = await load.stop(allowed);
  await writeFile(loadReportFile, JSON.stringify(report));
  const acknowledged = report.streams.flatMap((stream) => stream.acknowledgedIds);
  const lostIds = new Set(missingWrites(acknowledged, await readStoredOrders(lab.vps)));
  const steps = [before, update, broken, { ...worn, goesBad: true }, back];
  return { steps, report, switchBackMs, lostIds };
}

/** The host says so itself, and the command shows it. */
function readSwitchBack({ stderr }: ToolResult): number {
  const found = /serves again, (\d+) ms after the verdict/.exec(stderr)?.[1];
  if (found === undefined) throw new Error(`the deploy of v4 does not say when v2 served again:\n${stderr}`);
  return Number(found);
}

interface StepRun {
  readonly shop: LoadedShop;
  readonly load: LoadProcess;
  readonly name: string;
  readonly expected: ShopVersion;
  readonly work: () => Promise<unknown>;
}

function runStep({ shop, load, name, expected, work }: StepRun): Promise<LoadedStep> {
  const run = async (): Promise<LoadedStep> => {
    const startedAtMs = await load.mark(name);
    await work();
    const endedAtMs = await load.mark(`${name}: done`);
    return { name, startedAtMs, endedAtMs, expected, serving: await shop.project.serving() };
  };
  return shop.lines.run(name, run, ({ serving }) => `${serving.version} serves, deployment #${serving.number}`);
}
