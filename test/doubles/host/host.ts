import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { randomInt } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { Compose } from "../../../src/agent/engine/compose.ts";
import { Containers } from "../../../src/agent/engine/containers.ts";
import { EngineApi } from "../../../src/agent/engine/engine-api.ts";
import { Images } from "../../../src/agent/engine/images.ts";
import { MountedFiles } from "../../../src/agent/engine/mounted-files.ts";
import { Networks } from "../../../src/agent/engine/networks.ts";
import { Volumes } from "../../../src/agent/engine/volumes.ts";
import type { Host } from "../../../src/agent/host.ts";
import { AppRecords } from "../../../src/agent/ledger/app-records.ts";
import { Deployments } from "../../../src/agent/ledger/deployments.ts";
import { ImageUse } from "../../../src/agent/ledger/image-use.ts";
import { Journal } from "../../../src/agent/ledger/journal.ts";
import { KnownVolumes } from "../../../src/agent/ledger/known-volumes.ts";
import { openLedger } from "../../../src/agent/ledger/open-ledger.ts";
import { Parts } from "../../../src/agent/ledger/parts.ts";
import { Subnets } from "../../../src/agent/ledger/subnets.ts";
import { Vault } from "../../../src/agent/ledger/vault.ts";
import { Repairs } from "../../../src/agent/repairs.ts";
import { agentPaths } from "../../../src/agent/settings.ts";
import { FakeEdge } from "./edge.ts";
import { FakeEngine } from "./engine.ts";

/**
 * A host as the agent sees it: the real ledger, engine client, compose driver and gate, over doubles of the engine,
 * compose and the edge. Containers have addresses of 127.x.y.z, where their programs really answer.
 */
export class TestHost {
  readonly root: string;
  readonly engine: FakeEngine;
  readonly edge: FakeEdge;
  readonly #httpPort: number;
  readonly #networkPool = `127.${randomInt(16, 250)}.0.0/16`;
  /** Everything that was logged, one JSON a line. */
  readonly logged: string[] = [];
  host: Host;
  #database: DatabaseSync;

  private constructor(root: string, engine: FakeEngine, edge: FakeEdge, httpPort: number) {
    this.root = root;
    this.engine = engine;
    this.edge = edge;
    this.#httpPort = httpPort;
    [this.host, this.#database] = this.#open();
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
    this.#database.close();
    meanwhile();
    [this.host, this.#database] = this.#open();
    return this.host;
  }

  async dispose(): Promise<void> {
    await this.engine.stop();
    await this.edge.stop();
    this.#database.close();
    await rm(this.root, { recursive: true, force: true });
  }

  #open(): [Host, DatabaseSync] {
    const paths = agentPaths(this.root);
    const settings = {
      ...{ httpPort: this.#httpPort, httpsPort: 443, networkPool: this.#networkPool, edgeImage: "edge" },
      imageBudgetGb: 10,
    };
    const vault = Vault.open(paths.key);
    const engine = new EngineApi(this.engine.socketPath);
    const repairs = new Repairs();
    const log = pino({}, { write: (line: string) => this.logged.push(line) });
    const database = openLedger(paths.database, vault, { log, repairs });
    const host: Host = {
      settings,
      paths,
      log,
      engine,
      containers: new Containers(engine),
      networks: new Networks(engine),
      images: new Images(engine, paths.dockerConfig),
      volumes: new Volumes(engine),
      files: new MountedFiles(paths.files, vault),
      compose: new Compose(join(this.root, "compose")),
      edge: this.edge,
      vault,
      deployments: new Deployments(database, vault),
      journal: new Journal(database),
      parts: new Parts(database, vault),
      subnets: new Subnets(database, settings.networkPool),
      imageUse: new ImageUse(database),
      knownVolumes: new KnownVolumes(database),
      records: new AppRecords(paths.releases, database, vault, log),
      repairs,
      underway: new Set(),
      prepared: new Map(),
      retiring: new Map(),
    };
    return [host, database];
  }
}
