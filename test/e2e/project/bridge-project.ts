import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseDocument, stringify } from "yaml";
import * as z from "zod";
import type { HostWay } from "../../../src/core/config/schema.ts";
import { pushToRegistry } from "../../lab/index.ts";
import { registryAddress } from "../../lab/registry-address.ts";
import { runChecked } from "../../lab/run-command.ts";
import type { AgentHost } from "../fixture/index.ts";
import type { AppProject } from "./app-project.ts";
import { readApplied, readDrift, readFailure, readRolledBack, type Failure } from "./command-results.ts";
import { checkout } from "../fixture/build.ts";
import { makeCertificates } from "../../rigs/certificates.ts";
import type { EndedCommand, RunningCommand } from "./running-command.ts";

const admin = z.object({ data: z.object({ token: z.string(), fingerprint: z.string() }) });
const made = z.object({ data: z.object({ id: z.string(), token: z.string() }) });
const listed = z.object({
  data: z.object({ tokens: z.array(z.object({ id: z.string(), kind: z.string(), usedMs: z.number().optional() })) }),
});

/** The stack `bridge` in an app's project: the Bridge on a host of the lab, known by that host's address. */
export class BridgeProject {
  readonly url: string;
  /** Of the authority that nobody else knows. */
  readonly caCert: string;
  readonly adminToken: string;
  readonly folder: string;
  readonly #project: AppProject;
  readonly #stackFile: string;

  private constructor(project: AppProject, given: { url: string; folder: string; caCert: string; adminToken: string }) {
    this.#project = project;
    this.#stackFile = join(project.folder, "Pulumi.bridge.yaml");
    ({ url: this.url, folder: this.folder, caCert: this.caCert, adminToken: this.adminToken } = given);
  }

  /** Writes `Pulumi.bridge.yaml` as a person would, certificate and administrator included. Nothing is deployed. */
  static async create(project: AppProject, host: AgentHost): Promise<BridgeProject> {
    const { address } = host.vps;
    const folder = join(project.folder, "bridge");
    await mkdir(folder);
    await makeCertificates(folder, "api", `IP:${address}`);
    const { stdout } = await project.ikoma("api", "token", "admin", "--json");
    const { token: adminToken, fingerprint } = admin.parse(JSON.parse(stdout)).data;
    const caCert = await readFile(join(folder, "ca.pem"), "utf8");
    const bridge = new BridgeProject(project, { url: `https://${address}`, folder, caCert, adminToken });
    const certificate = { command: ["cat", "bridge/api.pem", "bridge/api.key"] };
    const config = {
      "ikoma:hosts": { vps1: host.config },
      "ikoma:bridge": { host: "vps1", domain: address, admins: [fingerprint], bake: { seconds: 1, maxErrorRate: 1 } },
      "ikoma:secrets": {
        bridge: { CERTIFICATE: certificate, POSTGRES_PASSWORD: { command: ["cat", "bridge/names"] } },
      },
    };
    await writeFile(bridge.#stackFile, stringify({ config }));
    return bridge;
  }

  /** A bundle of the API's image as the checkout makes it; `change` is a line of a Dockerfile on top. */
  async bundle(version: string, change = `LABEL version=${version}`): Promise<string> {
    const from = await apiImage();
    const tag = `ikoma-e2e/api:${version}`;
    await runChecked("docker", ["build", "--quiet", "--tag", tag, "-"], { stdin: `FROM ${from}\n${change}\n` });
    const image = await pushToRegistry(tag, tag);
    await runChecked("docker", ["image", "rm", "--no-prune", tag]);
    const file = join(checkout, "src/infra/bridge/compose.yaml");
    const what = [
      "--app",
      "bridge",
      "--version",
      version,
      "--file",
      file,
      "--image",
      `api=${image}`,
      "--profile",
      "store",
    ];
    const mirror = ["--registry-mirror", `docker.io=http://${registryAddress}`];
    const where = ["--push", `${registryAddress}/bridge-bundle`, ...mirror];
    const { code, stdout, stderr } = await this.#project.ikoma("bundle", "create", ...what, ...where);
    if (code !== 0) throw new Error(`no bundle of ${version}: ${stderr}`);
    return stdout.trim();
  }

  startApply(...more: readonly string[]): RunningCommand {
    return this.#project.startIkoma("deploy", "apply", "--stack", "bridge", "--yes", "--json", ...more);
  }

  async apply(...more: readonly string[]): Promise<string | undefined> {
    return readApplied(await this.startApply(...more).ended).apps["bridge"]?.version;
  }

  async applyBadly(...more: readonly string[]): Promise<Failure> {
    return readFailure(await this.startApply(...more).ended);
  }

  async rollBack(): Promise<unknown> {
    return readRolledBack(await this.#project.ikoma("deploy", "rollback", "--stack", "bridge", "--yes", "--json"));
  }

  async drift(): Promise<string> {
    return readDrift(await this.#project.ikoma("drift", "--stack", "bridge", "--json")).state;
  }

  /** `ikoma api token … --api URL`, with the administrator's token or another one. */
  tokenCommand(words: readonly string[], token = this.adminToken): Promise<EndedCommand> {
    const place = ["--api", this.url, "--ca-cert", join(this.folder, "ca.pem")];
    return this.#project.startIkomaWith({ IKOMA_API_ADMIN_TOKEN: token }, "api", "token", ...words, ...place, "--json")
      .ended;
  }

  /** Makes a token, in a file of its owner's alone. */
  async token(name: string, ...options: string[]): Promise<{ id: string; text: string; file: string }> {
    const ended = await this.tokenCommand(["create", ...options]);
    if (ended.code !== 0) throw new Error(ended.stdout + ended.stderr);
    const { id, token: text } = made.parse(JSON.parse(ended.stdout)).data;
    const file = join(this.folder, `${name}.token`);
    await writeFile(file, `${text}\n`, { mode: 0o600 });
    return { id, text, file };
  }

  async tokens(): Promise<{ id: string; kind: string; usedMs?: number | undefined }[]> {
    const ended = await this.tokenCommand(["list"]);
    if (ended.code !== 0) throw new Error(ended.stdout + ended.stderr);
    return listed.parse(JSON.parse(ended.stdout)).data.tokens;
  }

  /** From now on the Bridge's own host is reached in this way. */
  async reachHost(way: HostWay): Promise<void> {
    const document = parseDocument(await this.stackText());
    document.setIn(["config", "ikoma:hosts", "vps1"], document.createNode(way));
    await writeFile(this.#stackFile, document.toString());
  }

  stackText(): Promise<string> {
    return readFile(this.#stackFile, "utf8");
  }
}

async function apiImage(): Promise<string> {
  const versions = await readFile(join(checkout, "versions.env"), "utf8");
  return `ikoma/api:${/^AGENT_VERSION=(\S+)$/m.exec(versions)?.[1] ?? ""}`;
}
