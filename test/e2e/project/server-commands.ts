import { execFile, spawn } from "node:child_process";
import { realpath } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { basename, dirname } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import type { Vps } from "../../lab/index.ts";
import { checkout } from "../fixture/build.ts";

/** This machine, as the lab's see it. */
const address = "10.77.0.1";
const folder = "/opt/ikoma";

/** The commands on the server itself, as somebody installs them there who has only its console. */
export class ServerCommands {
  readonly #vps: Vps;

  private constructor(vps: Vps) {
    this.#vps = vps;
  }

  /**
   * Brings Node, Pulumi and `ikoma` there. No SSH is used.
   *
   * @param command the installed `ikoma`
   */
  static async install(vps: Vps, command: string): Promise<ServerCommands> {
    const { stdout } = await promisify(execFile)("which", ["pulumi"]);
    const pulumi = await realpath(stdout.trim());
    const parts = [process.execPath, pulumi, dirname(command), `${checkout}/node_modules`];
    const paths = parts.flatMap((path) => ["-C", dirname(path), basename(path)]);
    const server = createServer((socket) => {
      spawn("tar", ["-c", ...paths], { stdio: ["ignore", "pipe", "ignore"] }).stdout.pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, address, resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const fetch = `mkdir -p ${folder}/work && tar -x -C ${folder} </dev/tcp/${address}/${port}`;
      const { code, stderr } = await vps.exec(`bash -c '${fetch}'`);
      if (code !== 0) throw new Error(`the commands were not brought to the server: ${stderr}`);
    } finally {
      server.close();
    }
    return new ServerCommands(vps);
  }

  /** Runs `ikoma` there, in a project whose stack `hosts` has this file. */
  async ikoma(hostsFile: string, ...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const project = `name: there\nruntime: nodejs\nbackend: { url: "file://${folder}/work" }\n`;
    for (const [name, text] of [
      ["Pulumi.yaml", project],
      ["Pulumi.hosts.yaml", hostsFile],
    ] as const)
      await this.#vps.exec(`cat >${folder}/work/${name}`, { stdin: text });
    const environment = `HOME=/root PATH=${folder}:${folder}/cli:$PATH PULUMI_CONFIG_PASSPHRASE=there PULUMI_SKIP_UPDATE_CHECK=true`;
    return this.#vps.exec(`cd ${folder}/work && env ${environment} ikoma ${args.join(" ")}`, { timeoutMs: 60_000 });
  }
}
