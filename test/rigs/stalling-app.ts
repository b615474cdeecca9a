import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import type { EdgeServer } from "../../src/agent/edge/edge.ts";

/** Listens as Node does by default: at most 511 connections wait to be accepted. */
const script = `
const { createServer } = require("node:http");
const [address, name] = process.argv.slice(1);
const server = createServer((request, response) => {
  const ms = Number(new URL(request.url, "http://x").searchParams.get("stall") ?? 0);
  if (ms > 0) {
    process.send("stalls");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  }
  response.end(name);
});
server.listen(3000, address, () => process.send("listens"));
`;

/** An app in a process of its own, which can be made to do nothing at all for seconds, as one that is overloaded. */
export class StallingApp implements AsyncDisposable {
  readonly name: string;
  readonly #address: string;
  readonly #child: ChildProcess;

  private constructor(name: string) {
    this.name = name;
    this.#address = `127.${randomInt(1, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
    const stdio: ["ignore", "inherit", "inherit", "ipc"] = ["ignore", "inherit", "inherit", "ipc"];
    this.#child = spawn(process.execPath, ["-e", script, this.#address, name], { stdio });
  }

  static async start(name: string): Promise<StallingApp> {
    const app = new StallingApp(name);
    await app.says("listens");
    return app;
  }

  /** As a server of the edge. */
  as(service: string): EdgeServer {
    return { name: this.name, service, address: this.#address, port: 3000 };
  }

  /** Resolves when it listens, or has begun to stall (a request with `?stall=MILLISECONDS` makes it). */
  async says(word: "listens" | "stalls"): Promise<void> {
    const [said] = (await once(this.#child, "message", { signal: AbortSignal.timeout(10_000) })) as [unknown];
    if (said !== word) throw new Error(`${this.name} says ${String(said)}, not ${word}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}
