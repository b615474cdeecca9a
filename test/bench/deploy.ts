import { spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pushTinyWeb } from "../e2e/fixture/tiny-web.ts";
import { createVps, startRegistry, type Vps } from "../lab/index.ts";

/**
 * Times whole `ikoma` commands on example (b) and a machine of the lab: good deploy, rollback, nothing changed,
 * each with its plan printed. `node test/bench/deploy.ts [--runs 5]`, after `node scripts/build.ts all`.
 */
const { values } = parseArgs({ options: { runs: { type: "string", default: "5" } } });
const ikoma = join(import.meta.dirname, "../../dist/ikoma");

interface Stand {
  folder: string;
  bundles: string[];
}

function run(folder: string, args: readonly string[]): { stdout: string; tookMs: number } {
  const env = {
    ...process.env,
    PULUMI_CONFIG_PASSPHRASE: "bench",
    NODE_COMPILE_CACHE: join(tmpdir(), "ikoma-bench-compile-cache"),
  };
  const startedMs = performance.now();
  const { status, stdout, stderr } = spawnSync(ikoma, ["--cwd", folder, ...args], { env, encoding: "utf8" });
  const tookMs = performance.now() - startedMs;
  if (status !== 0) throw new Error(`ikoma ${args.join(" ")} ended with ${status}: ${stderr}`);
  return { stdout, tookMs };
}

async function newStand(vps: Vps, folder: string): Promise<Stand> {
  mkdirSync(join(folder, "state"));
  writeFileSync(
    join(folder, "Pulumi.yaml"),
    `name: bench\nruntime: nodejs\nbackend: { url: "file://${join(folder, "state")}" }\n`,
  );
  const host = `{ address: ${vps.address}, hostKey: ${vps.hostPublicKey}, identityFile: ${vps.identityFile} }`;
  const app =
    "{ host: vps1, health: { path: /health }, smoke: [{ path: /smoke }], drainSeconds: 5, bake: { seconds: 0 } }";
  const config = `config:\n  ikoma:hosts:\n    vps1: ${host}\n`;
  writeFileSync(join(folder, "Pulumi.hosts.yaml"), config);
  writeFileSync(join(folder, "Pulumi.prod.yaml"), `${config}  ikoma:apps:\n    tiny: ${app}\n`);
  writeFileSync(
    join(folder, "compose.yaml"),
    'services:\n  web:\n    build: .\n    image: tiny-web\n    ports: ["8080:8080"]\n',
  );
  const images = [await pushTinyWeb("v1"), await pushTinyWeb("v2")];
  run(folder, ["host", "bootstrap", "vps1", "--yes"]);
  const bundles = images.map(({ version, reference }) => {
    const output = join(folder, `${version}.bundle.json`);
    const what = ["--app", "tiny", "--version", version, "--image", `web=${reference}`];
    const args = ["bundle", "create", ...what, "--output", output];
    return run(folder, args).stdout.trim();
  });
  return { folder, bundles };
}

function measure({ folder, bundles: [v1 = "", v2 = ""] }: Stand, runs: number): Record<string, number[]> {
  // Each rollback withdraws what the next round deploys again.
  const deploy = (bundle: string): number =>
    run(folder, ["deploy", "apply", "-s", "prod", "--yes", "--redeploy", "--bundle", bundle]).tookMs;
  deploy(v1);
  const figures: Record<string, number[]> = {
    deploy: [],
    rollback: [],
    unchanged: [],
    drift: [],
    status: [],
    version: [],
  };
  for (let each = 0; each < runs; each += 1) {
    figures["deploy"]?.push(deploy(v2));
    figures["unchanged"]?.push(run(folder, ["deploy", "apply", "-s", "prod", "--yes"]).tookMs);
    figures["drift"]?.push(run(folder, ["drift", "-s", "prod"]).tookMs);
    figures["rollback"]?.push(run(folder, ["deploy", "rollback", "-s", "prod", "--yes", "--to", "v1"]).tookMs);
    figures["status"]?.push(run(folder, ["status", "-s", "prod"]).tookMs);
    figures["version"]?.push(run(folder, ["--version"]).tookMs);
  }
  return figures;
}

function report(figures: Record<string, number[]>): string {
  const load = loadavg().map((each) => each.toFixed(1));
  const rows = Object.entries(figures).map(([name, all]) => {
    const sorted = [...all].sort((a, b) => a - b).map(Math.round);
    return `${name.padEnd(10)} ${String(sorted[Math.floor(sorted.length / 2)]).padStart(6)}  (${sorted.join(" ")})`;
  });
  return `${cpus().length} CPUs, load ${load.join(" ")}; ms of the whole command, median (all)\n${rows.join("\n")}\n`;
}

const folder = mkdtempSync(join(tmpdir(), "ikoma-bench-"));
const registry = await startRegistry();
const vps = await createVps({ name: "bench", kind: "docker", pulled: ["node:24-bookworm-slim"] });
try {
  process.stdout.write(report(measure(await newStand(vps, folder), Number(values.runs))));
} finally {
  await vps.destroy();
  await registry.stop();
  rmSync(folder, { recursive: true, force: true });
}
