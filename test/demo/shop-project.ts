import { createHash, randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import * as z from "zod";
import { projectFolder } from "./demo-folder.ts";
import type { DemoLab, HostImages } from "./demo-lab.ts";
import { runTool, runToolChecked, ToolFailure, type ToolCall, type ToolResult } from "./run-tool.ts";
import { shopFolder, type ShopVersion } from "./shop-images.ts";

const cli = join(import.meta.dirname, "..", "..", "dist", "ikoma");
const host = "vps1";
const stack = "prod";

const hostsFile = ({ agent, edge }: HostImages): string => `config:
  ikoma:setup:
    ${host}:
      agentImage: ${agent}
      edgeImage: ${edge}
`;

const environmentFile = `config:
  ikoma:apps:
    shop:
      host: ${host}
      # Health says that the process can work, this says that the shop does: orders can be read.
      smoke:
        - { path: /api/smoke, status: [200, 200] }
      drainSeconds: 5
      # How long a release is watched with its visitors: not at all, until the demo comes to that.
      bake: { seconds: 0 }
`;

const projectFile = `name: shop
runtime: nodejs
backend:
  url: file://${projectFolder}/state
`;

const liveStatusSchema = z.object({
  data: z.object({
    apps: z.object({
      shop: z.object({ state: z.object({ current: z.object({ number: z.int(), version: z.string() }) }) }),
    }),
  }),
});

/** What the host says is serving. */
export interface Serving {
  readonly version: string;
  /** Of the deployment. */
  readonly number: number;
}

/** A user's project, worked on by nothing but the `ikoma` and `pulumi` commands. */
export class ShopProject {
  /** For people: what the commands need, as a file to source. */
  readonly environmentFile = join(projectFolder, "env.sh");
  /** The database's password; the user knows it, the host gets it as an encrypted secret of the stack. */
  readonly databasePassword = randomBytes(18).toString("base64url");
  readonly #passphrase = randomBytes(18).toString("base64url");
  readonly #lab: DemoLab;
  readonly #signal: AbortSignal;

  constructor(lab: DemoLab, signal: AbortSignal) {
    this.#lab = lab;
    this.#signal = signal;
  }

  /** Writes the files, makes the stack, and sets its one secret. */
  async create(images: HostImages): Promise<void> {
    await mkdir(join(projectFolder, "state"), { recursive: true });
    const files = {
      "Pulumi.yaml": projectFile,
      "Pulumi.hosts.yaml": hostsFile(images),
      [`Pulumi.${stack}.yaml`]: environmentFile,
      "env.sh": this.#environmentText(),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(projectFolder, name), text, { mode: 0o600 });
    await runToolChecked(this.#call("pulumi", ["stack", "init", stack, "--non-interactive"]));
    const setSecret = ["config", "set", "--stack", stack, "--secret", "--path", "ikoma:secrets.shop.POSTGRES_PASSWORD"];
    await runToolChecked({
      ...this.#call("pulumi", [...setSecret, "--non-interactive"]),
      stdin: this.databasePassword,
    });
  }

  /** `ikoma host trust`, with the fingerprint that a provider's console would show. */
  async trustHost(): Promise<void> {
    const { address, hostPublicKey, identityFile } = this.#lab.vps;
    const key = Buffer.from(hostPublicKey.split(" ")[1] ?? "", "base64");
    const fingerprint = `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
    const trust = ["host", "trust", host, address, "--stack", stack, "--identity-file", identityFile];
    await this.#ikoma([...trust, "--fingerprint", fingerprint]);
  }

  /** `ikoma host bootstrap`: agent, edge and docker compose. */
  async bootstrapHost(): Promise<void> {
    await this.#ikoma(["host", "bootstrap", host, "--install"]);
  }

  /** `ikoma bundle create`. Returns the bundle's reference by digest. */
  createBundle(version: ShopVersion, image: string): Promise<string> {
    const { registry } = this.#lab;
    const from = ["--file", join(shopFolder, "compose.yaml"), "--app", "shop", "--version", version];
    const mirror = ["--registry-mirror", `docker.io=http://${registry}`];
    const push = ["--push", `${registry}/demo/shop-bundle:${version}`];
    return this.#ikoma(["bundle", "create", ...from, "--image", `web=${image}`, ...mirror, ...push]);
  }

  /** `ikoma deploy apply`; throws a {@link ToolFailure} where it ends with another exit code than `expectedCode`. */
  deploy(bundle: string, expectedCode = 0): Promise<ToolResult> {
    return this.#expect(expectedCode, ["deploy", "apply", "--stack", stack, "--bundle", bundle, "--yes"]);
  }

  /** How long releases are watched from now on: an ordinary setting of the stack. */
  async setBake(seconds: number): Promise<void> {
    const path = ["--path", "ikoma:apps.shop.bake.seconds", String(seconds)];
    await runToolChecked(this.#call("pulumi", ["config", "set", "--stack", stack, ...path, "--non-interactive"]));
  }

  /** `ikoma deploy rollback`, to the last good deployment before the current one. */
  rollBack(): Promise<ToolResult> {
    return this.#expect(0, ["deploy", "rollback", "--stack", stack, "--yes"]);
  }

  /** `ikoma status --live`: asks the host. */
  async serving(): Promise<Serving> {
    const answer: unknown = JSON.parse(await this.#ikoma(["status", "--stack", stack, "--live", "--json"]));
    return liveStatusSchema.parse(answer).data.apps.shop.state.current;
  }

  #ikoma(args: readonly string[]): Promise<string> {
    return runToolChecked(this.#call(cli, args));
  }

  async #expect(expectedCode: number, args: readonly string[]): Promise<ToolResult> {
    const call = this.#call(cli, args);
    const result = await runTool(call);
    if (result.code !== expectedCode) throw new ToolFailure(call, result);
    return result;
  }

  #call(file: string, args: readonly string[]): ToolCall {
    const env: NodeJS.ProcessEnv = { ...process.env, PULUMI_CONFIG_PASSPHRASE: this.#passphrase };
    // What the user has set for projects of their own must not lead away from this one.
    for (const name of ["PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_STACK", "IKOMA_STACK"])
      delete env[name];
    return { file, args, cwd: projectFolder, env, signal: this.#signal };
  }

  #environmentText(): string {
    const root = join(import.meta.dirname, "..", "..");
    return `. '${join(root, "scripts", "env.sh")}'
export PATH="${join(root, "dist")}:$PATH"
export PULUMI_CONFIG_PASSPHRASE='${this.#passphrase}'
export IKOMA_STACK=${stack}
unset PULUMI_BACKEND_URL PULUMI_CONFIG_PASSPHRASE_FILE PULUMI_STACK
cd '${projectFolder}'
`;
  }
}
