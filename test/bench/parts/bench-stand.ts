import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { stringify } from "yaml";
import { startAgentHost, type AgentHost } from "../../e2e/fixture/agent-host.ts";
import { destroyLeftovers } from "../../lab/index.ts";
import type { TinyWebImage } from "../../e2e/fixture/tiny-web.ts";
import { installCommands } from "../../e2e/project/installed-commands.ts";
import { RunningCommand, type EndedCommand } from "../../e2e/project/running-command.ts";

const stack = "prod";
const app = "tiny";
const registry = "10.77.0.1:5000";
const example = join(import.meta.dirname, "../../../examples/tiny-web");

/** The compose file of examples/tiny-web, for each way to deploy it. */
export function exampleCompose(): Promise<string> {
  return readFile(join(example, "compose.yaml"), "utf8");
}

/** A command that ran to its end, with how long its process took. */
export interface TimedCommand extends EndedCommand {
  readonly tookMs: number;
}

/** A machine with agent and edge, and a project on examples/tiny-web: its own compose file, bake 0. */
export class BenchStand implements AsyncDisposable {
  readonly host: AgentHost;
  /** The Host header by which the edge knows the app. */
  readonly domain = `${app}.test`;
  readonly #parent: string;
  readonly #project: string;
  readonly #cli: string;

  private constructor(host: AgentHost, parent: string, cli: string) {
    this.host = host;
    this.#parent = parent;
    this.#project = join(parent, "project");
    this.#cli = cli;
  }

  /** Brings all of it up (about 20 s); nothing is deployed yet. */
  static async start(): Promise<BenchStand> {
    const parent = await mkdtemp(join(tmpdir(), "ikoma-bench-"));
    await destroyLeftovers();
    const host = await startAgentHost("bench");
    const stand = new BenchStand(host, parent, (await installCommands(parent)).cli);
    await stand.#writeProject();
    return stand;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]();
    await rm(this.#parent, { recursive: true, force: true });
  }

  /** The edge's address of the app. */
  get url(): string {
    return `http://${this.host.vps.address}/`;
  }

  /** A folder of its own for what is no part of the project. */
  async folder(name: string): Promise<string> {
    const folder = join(this.#parent, name);
    await mkdir(folder, { recursive: true });
    return folder;
  }

  /** `ikoma bundle create`, pushed to the registry. Gives the pinned reference. */
  async bundle({ version, reference }: TinyWebImage): Promise<string> {
    const what = ["--app", app, "--version", version, "--image", `web=${reference}`];
    const where = ["--push", `${registry}/${app}-bundle`, "--registry-mirror", `docker.io=http://${registry}`];
    const { stdout } = await this.ikoma(0, "bundle", "create", ...what, ...where);
    return stdout.trim();
  }

  /** Deploys a bundle, its plan printed; one that was rolled back from too. */
  deploy(bundle: string, expectedCode = 0): Promise<TimedCommand> {
    return this.ikoma(expectedCode, "deploy", "apply", "-s", stack, "--yes", "--redeploy", "--bundle", bundle);
  }

  /** A command on the stack. */
  onStack(...words: readonly string[]): Promise<TimedCommand> {
    return this.ikoma(0, ...words, "-s", stack);
  }

  /** Any command, in the project's folder. Throws when it ends with another exit code than expected. */
  async ikoma(expectedCode: number, ...args: readonly string[]): Promise<TimedCommand> {
    const startedMs = performance.now();
    const start = { file: join(this.#cli, "ikoma"), args, cwd: this.#project, env: this.#environment() };
    const ended = await new RunningCommand(start).ended;
    const tookMs = performance.now() - startedMs;
    if (ended.code === expectedCode) return { ...ended, tookMs };
    throw new Error(
      `ikoma ${args.join(" ")}: exit code ${ended.code ?? "none"}, not ${expectedCode}\n${ended.stdout}${ended.stderr}`,
    );
  }

  /** Writes how the release is watched: `seconds: 0` is not at all. */
  async setBake(bake: { readonly seconds: number }): Promise<void> {
    const hosts = { vps1: this.host.config };
    const smoke = [{ path: "/smoke" }];
    const settings = {
      host: "vps1",
      domains: [this.domain],
      health: { path: "/health" },
      smoke,
      drainSeconds: 5,
      bake,
    };
    const config = { "ikoma:hosts": hosts, "ikoma:apps": { [app]: settings } };
    await writeFile(join(this.#project, `Pulumi.${stack}.yaml`), stringify({ config }));
  }

  async #writeProject(): Promise<void> {
    const state = join(this.#project, "state");
    await mkdir(state, { recursive: true });
    await mkdir(join(this.#parent, "home"));
    const backend = { url: `file://${state}` };
    await writeFile(join(this.#project, "Pulumi.yaml"), stringify({ name: "bench", runtime: "nodejs", backend }));
    await writeFile(join(this.#project, "compose.yaml"), await exampleCompose());
    await this.setBake({ seconds: 0 });
  }

  #environment(): Record<string, string> {
    const home = join(this.#parent, "home");
    return {
      HOME: home,
      LANG: "C.UTF-8",
      PATH: process.env["PATH"] ?? "",
      PULUMI_CONFIG_PASSPHRASE: "bench",
      PULUMI_SKIP_UPDATE_CHECK: "true",
    };
  }
}
