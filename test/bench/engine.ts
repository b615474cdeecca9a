import { spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

/**
 * Times a whole process that does one `up` of one resource on a host that answers at once: what the engine and the
 * way to drive it cost. `node test/bench/engine.ts [--runs 5]`
 */
const { values } = parseArgs({ options: { runs: { type: "string", default: "5" } } });
const ways = ["runner", "plain"] as const;
type Way = (typeof ways)[number];

interface Stand {
  root: string;
  version: number;
}

function newStand(): Stand {
  const root = mkdtempSync(join(tmpdir(), "ikoma-bench-"));
  for (const folder of ["project", "state"]) mkdirSync(join(root, folder));
  writeFileSync(join(root, "project", "Pulumi.yaml"), "name: engine-test\nruntime: nodejs\n");
  return { root, version: 1 };
}

function timedUpMs(way: Way, { root, version }: Stand): number {
  const script = join(import.meta.dirname, "engine-up.ts");
  const args = [
    script,
    "--way",
    way,
    "--workDir",
    join(root, "project"),
    "--version",
    `v${version}`,
    "--agent",
    join(root, "agent.json"),
  ];
  const env = {
    ...process.env,
    PULUMI_BACKEND_URL: `file://${join(root, "state")}`,
    PULUMI_CONFIG_PASSPHRASE: "bench",
    NODE_COMPILE_CACHE: join(tmpdir(), "ikoma-bench-compile-cache"),
  };
  const startedMs = performance.now();
  const { status, stderr } = spawnSync("node", args, { env, encoding: "utf8" });
  const tookMs = performance.now() - startedMs;
  if (status !== 0) throw new Error(`${way} failed: ${stderr}`);
  return tookMs;
}

function median(figures: readonly number[]): number {
  return [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN;
}

const stands: Record<Way, Stand> = { runner: newStand(), plain: newStand() };
const figures: Record<Way, { same: number[]; update: number[] }> = {
  runner: { same: [], update: [] },
  plain: { same: [], update: [] },
};
try {
  for (const way of ways) timedUpMs(way, stands[way]);
  for (let run = 0; run < Number(values.runs); run += 1) {
    // In turns, so that a busy moment of the machine hits both.
    for (const way of ways) {
      figures[way].same.push(timedUpMs(way, stands[way]));
      stands[way].version += 1;
      figures[way].update.push(timedUpMs(way, stands[way]));
    }
  }
} finally {
  for (const { root } of Object.values(stands)) rmSync(root, { recursive: true, force: true });
}

process.stdout.write(
  `${cpus().length} CPUs, load ${loadavg()
    .map((each) => each.toFixed(1))
    .join(" ")}, median of ${values.runs} (fastest), ms of a whole process\n`,
);
for (const way of ways) {
  const { same, update } = figures[way];
  const told = (all: number[]): string => `${median(all).toFixed(0)} (${Math.min(...all).toFixed(0)})`;
  process.stdout.write(`${way.padEnd(7)} nothing to do ${told(same).padEnd(14)} one update ${told(update)}\n`);
}
