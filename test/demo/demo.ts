import process from "node:process";
import { bringUpLab, pushHostImages, type DemoLab } from "./demo-lab.ts";
import { replaceByPlainCompose, type PlainReplacement } from "./plain-compose.ts";
import { buildShop, pushShop, shopVersions, type ShopVersion } from "./shop-images.ts";
import { ShopProject, type Serving } from "./shop-project.ts";
import { areReduced, findRates, type LoadRates } from "./shop-load.ts";
import type { StepLines } from "./step-lines.ts";
import { deployUnderLoad, type UnderLoad } from "./under-load.ts";

/** A step before the load. */
export interface QuietStep {
  readonly name: string;
  readonly durationMs: number;
  readonly serving?: Serving;
}

/** All that happened. */
export interface DemoRun {
  readonly lab: DemoLab;
  readonly project: ShopProject;
  readonly quietSteps: readonly QuietStep[];
  readonly rates: LoadRates;
  readonly underLoad: UnderLoad;
  readonly plain: PlainReplacement;
}

/** How to run it. */
export interface DemoOptions {
  /** What is brought up stays. */
  readonly keep: boolean;
  readonly lines: StepLines;
  readonly signal: AbortSignal;
}

/** The whole demo, but for clearing up before and taking down after. */
export async function runDemo(options: DemoOptions): Promise<DemoRun> {
  const { keep, signal } = options;
  const quietSteps: QuietStep[] = [];
  const step = async <T>(name: string, work: () => Promise<T>, note?: (value: T) => string): Promise<T> => {
    signal.throwIfAborted();
    const startedMs = performance.now();
    const value = await options.lines.run(name, work, note);
    quietSteps.push({ name, durationMs: performance.now() - startedMs });
    return value;
  };

  const tags = await step("build the shop's images", () => buildAll(signal), describeBuilds);
  const lab = await step(
    "registry and server",
    () => bringUpLab(keep),
    ({ vps }) => vps.address,
  );
  const images = await step("push v1 to v4, agent, edge", () => pushAll(tags));
  const project = new ShopProject(lab, signal);
  const bundles = await step("project, four bundles", async () => {
    await project.create(images.host);
    return createBundles(project, images.shop);
  });
  await step("host trust, host bootstrap", async () => {
    await project.trustHost();
    await project.bootstrapHost();
  });
  await step("deploy v1, the first", () => project.deploy(bundles.v1));
  const url = `http://${lab.vps.address}`;
  const rates = await step("how much load this machine carries", () => findRates(url, signal), describeRates);
  const underLoad = await deployUnderLoad({ lab, project, bundles, rates, lines: options.lines, signal });
  const { vps } = lab;
  const { v1: before, v2: after } = images.shop;
  const { databasePassword } = project;
  const plain = await options.lines.run("the same by plain docker compose", () =>
    replaceByPlainCompose({ vps, before, after, databasePassword, rates, signal, keep }),
  );
  return { lab, project, quietSteps, rates, underLoad, plain };
}

type ByVersion<T> = Record<ShopVersion, T>;
type Build = Awaited<ReturnType<typeof buildShop>>;

/** One after another: all others take all but their last layer from v1. */
async function buildAll(signal: AbortSignal): Promise<ByVersion<Build>> {
  return byVersion((version) => buildShop(version, signal));
}

function describeBuilds(builds: ByVersion<Build>): string {
  const built = shopVersions.filter((version) => builds[version].isBuilt);
  return built.length === 0 ? "nothing changed" : `built ${built.join(", ")}`;
}

async function pushAll(builds: ByVersion<Build>) {
  const shop = await byVersion((version) => pushShop(version, builds[version].tag));
  return { shop, host: await pushHostImages(process.env["AGENT_VERSION"] ?? "") };
}

function describeRates(rates: LoadRates): string {
  const { keptAlive, newConnections, orders } = rates;
  return `${keptAlive} + ${newConnections} + ${orders} requests/s${areReduced(rates) ? " (it is busy)" : ""}`;
}

function createBundles(project: ShopProject, images: ByVersion<string>): Promise<ByVersion<string>> {
  return byVersion((version) => project.createBundle(version, images[version]));
}

async function byVersion<T>(make: (version: ShopVersion) => Promise<T>): Promise<ByVersion<T>> {
  return { v1: await make("v1"), v2: await make("v2"), v3: await make("v3"), v4: await make("v4") };
}
