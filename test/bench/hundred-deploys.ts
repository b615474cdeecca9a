import { writeFileSync } from "node:fs";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { startAgentHost, type AgentHost } from "../e2e/fixture/agent-host.ts";
import type { AppOnHost } from "../e2e/fixture/app-on-host.ts";
import { hostTrace, type HostTrace } from "../e2e/fixture/host-trace.ts";
import { postgresService } from "../e2e/fixture/postgres.ts";
import { pushTinyWeb, type TinyWebImage } from "../e2e/fixture/tiny-web.ts";
import { destroyLeftovers } from "../lab/index.ts";
import { waitUntil } from "../lab/wait-until.ts";
import { residentMemory, type ResidentMemory } from "./resident-memory.ts";

/**
 * Deploys an app with a database again and again on a machine of the lab, under a light load, and looks at what that
 * leaves: `node test/bench/hundred-deploys.ts [--deploys 100] [--out FILE]`. Exit code 1 when a bound is broken.
 */
const { values } = parseArgs({ options: { deploys: { type: "string", default: "100" }, out: { type: "string" } } });
const deploys = Number(values.deploys);
/** What is there after so many is what there may be in the end. */
const settledAfter = 20;
const keep = 3;
const differentImages = 5;
const mostResidentMiB = 100;
const mostGrowthMiB = 15;

/** What there is when nothing is under way. */
interface Look {
  readonly deploys: number;
  readonly memory: ResidentMemory;
  readonly trace: HostTrace;
}

interface Report {
  readonly looks: readonly Look[];
  readonly deployMs: readonly number[];
  readonly load: { readonly sent: number; readonly failed: number };
}

async function deploy(app: AppOnHost, image: TinyWebImage): Promise<number> {
  const release = app.release(image).drainingFor(1);
  const startedMs = performance.now();
  await app.change("bundle.stage", {
    app: app.name,
    bundle: release.spec.bundle,
    images: [image.reference],
    redeploy: false,
  });
  await app.deploy(release, { keep });
  return performance.now() - startedMs;
}

async function look(host: AgentHost, app: AppOnHost, count: number): Promise<Look> {
  await waitUntil("the old release is gone", async () => {
    const { containers, networks } = await app.world();
    return containers.length === 2 && networks.length === 2;
  });
  // Where sshd cannot forward to the socket a connection is a process of its own.
  await host.agent.close();
  return {
    deploys: count,
    memory: await residentMemory(host.vps),
    trace: await hostTrace(host.vps, await host.connection()),
  };
}

async function measure(host: AgentHost): Promise<Report> {
  const numbers = Array.from({ length: differentImages }, (_, index) => index);
  const images = await Promise.all(numbers.map((each) => pushTinyWeb(`h${each}`)));
  const app = await host.addApp("often");
  await app.deployAccessories({ db: await postgresService(host) }, ["data"]);
  const looks: Look[] = [];
  const deployMs: number[] = [];
  const next = async (): Promise<void> => {
    const image = images[deployMs.length % images.length];
    if (image !== undefined) deployMs.push(await deploy(app, image));
  };
  await next();
  const load = await app.startLoad(50);
  while (deployMs.length < deploys) {
    await next();
    if (deployMs.length % settledAfter === 0) looks.push(await look(host, app, deployMs.length));
  }
  const { streams } = await load.stop();
  const sum = (of: "sent" | "failed"): number => streams.reduce((total, each) => total + each[of], 0);
  return { looks, deployMs, load: { sent: sum("sent"), failed: sum("failed") } };
}

/** What is not as it must be. */
function broken({ looks, load }: Report): string[] {
  const [first] = looks;
  const last = looks.at(-1);
  if (first === undefined || last === undefined) return ["too few deploys to compare anything"];
  const left = (Object.keys(first.trace) as (keyof HostTrace)[]).filter(
    (each) => !isDeepStrictEqual(first.trace[each], last.trace[each]),
  );
  const growth = last.memory.totalMiB - first.memory.totalMiB;
  return [
    ...left.map((each) => `${each}: ${JSON.stringify(first.trace[each])} became ${JSON.stringify(last.trace[each])}`),
    ...(last.memory.totalMiB > mostResidentMiB ? [`edge and agent take ${last.memory.totalMiB.toFixed(1)} MiB`] : []),
    ...(growth > mostGrowthMiB ? [`edge and agent grew by ${growth.toFixed(1)} MiB`] : []),
    ...(load.failed > 0 ? [`${load.failed} requests failed`] : []),
  ];
}

function table({ looks, deployMs, load }: Report): string {
  const sorted = deployMs.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(0);
  const header = ["deploys", "agent MiB", "edge MiB", "both", "containers", "networks", "images", "files", "servers"];
  const rows = looks.map(({ deploys: count, memory, trace }) => [
    String(count),
    ...[memory.agentMiB, memory.edgeMiB, memory.totalMiB].map((each) => each.toFixed(1)),
    ...[trace.containers, trace.networks, trace.images, trace.files, trace.edgeServers].map((each) =>
      String(each.length),
    ),
  ]);
  const lines = [header, ...rows].map((row) => row.map((cell) => cell.padStart(10)).join(" "));
  const deployed = `${deployMs.length} deploys, ms each: median ${at(0.5)}, p90 ${at(0.9)}, longest ${at(1)}`;
  return [...lines, deployed, `${load.sent} requests, ${load.failed} failed`].join("\n");
}

await destroyLeftovers();
const host = await startAgentHost("hundred");
try {
  const report = await measure(host);
  const problems = broken(report);
  process.stdout.write(`${table(report)}\n${problems.map((each) => `BROKEN: ${each}\n`).join("")}`);
  if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify({ ...report, problems }, undefined, 2)}\n`);
  if (problems.length > 0) process.exitCode = 1;
} finally {
  await host[Symbol.asyncDispose]();
}
