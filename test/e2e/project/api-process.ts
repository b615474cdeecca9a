import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import * as z from "zod";
import { makeCertificate } from "./lab-certificate.ts";
import type { RunningCommand } from "./running-command.ts";

const run = promisify(execFile);
/** This machine, as the lab's see it. */
const address = "10.77.0.1";
const serving = z.object({ data: z.object({ address: z.string() }) });
const made = z.object({ data: z.object({ id: z.string(), token: z.string() }) });

/** `ikoma api serve`, with a certificate of an authority that nobody else knows. */
export class ApiProcess implements AsyncDisposable {
  readonly folder: string;
  readonly url: string;
  readonly caCert: string;
  readonly #command: string;
  #child: ChildProcess;

  private constructor(start: { folder: string; url: string; caCert: string; command: string; child: ChildProcess }) {
    this.folder = start.folder;
    this.url = start.url;
    this.caCert = start.caCert;
    this.#command = start.command;
    this.#child = start.child;
  }

  /** @param command the installed `ikoma` */
  static async start(parent: string, command: string): Promise<ApiProcess> {
    const folder = join(parent, "api");
    await mkdir(folder);
    await makeCertificate(folder, address);
    const { child, url } = await serve(command, folder, 0);
    return new ApiProcess({ folder, url, caCert: await readFile(join(folder, "ca.pem"), "utf8"), command, child });
  }

  /** SIGKILL. Resolves when it is dead. */
  async kill(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  /** After {@link kill}: again, where it was. */
  async startAgain(): Promise<void> {
    this.#child = (await serve(this.#command, this.folder, Number(new URL(this.url).port))).child;
  }

  /** `ikoma api token create`, written to a file of its owner's alone. */
  async token(name: string, ...options: string[]): Promise<{ id: string; text: string; file: string }> {
    const { stdout } = await run(this.#command, ["api", "token", "create", ...this.#state, "--json", ...options]);
    const { id, token: text } = made.parse(JSON.parse(stdout)).data;
    const file = join(this.folder, `${name}.token`);
    await writeFile(file, `${text}\n`, { mode: 0o600 });
    return { id, text, file };
  }

  async revoke(id: string): Promise<void> {
    await run(this.#command, ["api", "token", "revoke", ...this.#state, id]);
  }

  /** What it has written: the log, and every file of its store. */
  async everythingKept(): Promise<string> {
    const files = ["api.log", "state/api.db", "state/api.db-wal"].map((name) => join(this.folder, name));
    return (await Promise.all(files.map((file) => readFile(file, "latin1")))).join("\n");
  }

  get #state(): string[] {
    return ["--state", join(this.folder, "state")];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.kill();
  }
}

async function serve(command: string, folder: string, port: number): Promise<{ child: ChildProcess; url: string }> {
  const place = ["--listen", `${address}:${port}`, "--state", join(folder, "state")];
  const tls = ["--tls-cert", join(folder, "api.pem"), "--tls-key", join(folder, "api.key")];
  const log = `exec "$0" "$@" 2>>${join(folder, "api.log")}`;
  const args = ["-c", log, command, "api", "serve", "--json", ...place, ...tls];
  const child = spawn("sh", args, { stdio: ["ignore", "pipe", "ignore"], env: process.env });
  const said: Buffer[] = [];
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    said.push(chunk);
    const text = Buffer.concat(said).toString();
    if (text.endsWith("\n")) return { child, url: serving.parse(JSON.parse(text)).data.address };
  }
  throw new Error(`the API did not start: ${await readFile(join(folder, "api.log"), "utf8")}`);
}

/** Waits until a command has said something on its standard error. */
export function saysOn(command: RunningCommand, text: string): () => boolean {
  return () => command.output.stderr.includes(text);
}
