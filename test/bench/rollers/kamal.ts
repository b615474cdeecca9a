import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { stringify } from "yaml";
import type { TinyWebImage } from "../../e2e/fixture/tiny-web.ts";
import { pushToRegistry, type Vps } from "../../lab/index.ts";
import { runChecked } from "../../lab/run-command.ts";
import { alternating, type Roller } from "./roller.ts";

const service = "tiny-kamal";
const registry = "10.77.0.1:5000";
const repository = `ikoma-bench/${service}`;
/** The edge has 80 and 443. */
const ports = { http: 8081, https: 8444 };
const domain = "tiny-kamal.test";
const deadlineMs = 180_000;

/** What Kamal needs to know of the machine; no more than its quick start says, and the same probe as the others. */
export function kamalConfiguration(vps: Pick<Vps, "address" | "sshPort" | "user" | "identityFile">): string {
  return stringify({
    service,
    image: repository,
    servers: { web: [vps.address] },
    registry: { server: registry, username: "bench", password: ["KAMAL_REGISTRY_PASSWORD"] },
    builder: { arch: "amd64" },
    ssh: { user: vps.user, port: vps.sshPort, keys: [vps.identityFile], keys_only: true },
    proxy: { host: domain, app_port: 8080, healthcheck: { path: "/health", interval: 1, timeout: 3 } },
    drain_timeout: 5,
  });
}

/**
 * `kamal deploy --skip-push --version`, by the executable that the user provides; Kamal 2. Its proxy's image has to be
 * where the machine can pull it. Throws what Kamal says when it cannot be set up.
 */
export async function kamalRoller(
  kamal: string,
  folder: string,
  vps: Vps,
  v1: TinyWebImage,
  v2: TinyWebImage,
): Promise<Roller> {
  await mkdir(join(folder, "config"), { recursive: true });
  await mkdir(join(folder, ".kamal"), { recursive: true });
  await writeFile(join(folder, "config", "deploy.yml"), kamalConfiguration(vps));
  await writeFile(join(folder, ".kamal", "secrets"), "KAMAL_REGISTRY_PASSWORD=bench\n", { mode: 0o600 });
  for (const image of [v1, v2]) await pushForKamal(image);
  const run = (...args: readonly string[]): Promise<string> =>
    // Kamal looks for its files where it is started.
    runChecked("env", ["--chdir", folder, kamal, ...args], { env: environment(), timeoutMs: deadlineMs });
  await run("proxy", "boot_config", "set", "--http-port", String(ports.http), "--https-port", String(ports.https));
  await run("setup", "--skip-push", "--version", v1.version);
  const next = alternating(v1, v2);
  const change = async (): Promise<number> => {
    const { version } = next();
    const startedMs = performance.now();
    await run("deploy", "--skip-push", "--version", version);
    return performance.now() - startedMs;
  };
  return { name: "kamal", url: `http://${vps.address}:${ports.http}/`, domain, change };
}

/** Kamal takes images by tag, and only those that carry its service's label. */
async function pushForKamal({ version, reference }: TinyWebImage): Promise<void> {
  const tag = `${repository}:${version}`;
  const build = ["build", "--quiet", "--tag", tag, "--label", `service=${service}`, "-"];
  await runChecked("docker", build, { stdin: `FROM ${reference}\n` });
  await pushToRegistry(tag, tag);
}

function environment(): Record<string, string> {
  const { PATH = "", HOME = "" } = process.env;
  return { PATH, HOME, LANG: "C.UTF-8" };
}
