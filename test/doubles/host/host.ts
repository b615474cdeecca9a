import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { randomInt } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pino } from "pino";
import { Compose } from "../../../src/agent/engine/compose.ts";
import { EngineApi } from "../../../src/agent/engine/engine-api.ts";
import type { Host } from "../../../src/agent/host.ts";
import { openHost } from "../../../src/agent/open-host.ts";
import { agentPaths } from "../../../src/agent/settings.ts";
import { FakeEdge } from "./edge.ts";
import { FakeEngine } from "./engine.ts";

const worker = Number(process.env["JEST_WORKER_ID"] ?? 0);

/**
 * A host as the agent sees it: the real ledger, engine client, compose driver and gate, over doubles of the engine,
 * compose and the edge. Containers have addresses of 127.x.y.z, where their programs really answer.
 */
export class TestHost {
  readonly root: string;
  readonly engine: FakeEngine;
  readonly edge: FakeEdge;
  readonly #httpPort: number;
  /**
   * No other worker of this Jest draws from the same, and one of another Jest hardly ever: two hosts at once with one
   * address would not come up.
   */
  readonly #networkPool = `127.${16 + 14 * (worker % 16) + randomInt(14)}.${16 * randomInt(16)}.0/20`;
  /** Everything that was logged, one JSON a line. */
  readonly logged: string[] = [];
  host: Host;
  #close: () => void;

  private constructor(root: string, engine: FakeEngine, edge: FakeEdge, httpPort: number) {
    this.root = root;
    this.engine = engine;
    this.edge = edge;
    this.#httpPort = httpPort;
    [this.host, this.#close] = this.#open();
  }

  static async create(): Promise<TestHost> {
    const root = await mkdtemp(join(tmpdir(), "ikoma-host-"));
    for (const folder of ["edge", "agent/hold", "run"]) await mkdir(join(root, folder), { recursive: true });
    const engine = new FakeEngine(join(root, "engine.sock"));
    await engine.start();
    const edge = new FakeEdge();
    const httpPort = await edge.start(0, join(root, "edge/candidate.sock"));
    const compose = join(root, "compose");
    const double = join(import.meta.dirname, "compose.mjs");
    await writeFile(
      compose,
      `#!/bin/sh\nDOUBLE_ENGINE='${engine.socketPath}' exec '${process.execPath}' '${double}' "$@"\n`,
    );
    await chmod(compose, 0o755);
    return new TestHost(root, engine, edge, httpPort);
  }

  /** The agent's memory is lost and its disk opened again; engine and edge go on. */
  restart(meanwhile: () => void = () => undefined): Host {
    this.#close();
    meanwhile();
    [this.host, this.#close] = this.#open();
    return this.host;
  }

  async dispose(): Promise<void> {
    await this.engine.stop();
    await this.edge.stop();
    this.#close();
    await rm(this.root, { recursive: true, force: true });
  }

  #open(): [Host, () => void] {
    const paths = agentPaths(this.root);
    const settings = {
      ...{
        httpPort: this.#httpPort,
        httpsPort: this.edge.httpsPort,
        networkPool: this.#networkPool,
        edgeImage: "edge",
      },
      imageBudgetGb: 10,
    };
    const { host, close } = openHost({
      paths,
      settings,
      log: pino({}, { write: (line: string) => this.logged.push(line) }),
      edge: this.edge,
      engine: new EngineApi(this.engine.socketPath),
      compose: new Compose(join(this.root, "compose")),
    });
    return [host, close];
  }
}
