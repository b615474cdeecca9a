import { connect } from "node:net";
import { pino } from "pino";
import { createHaproxyEdge } from "./edge/haproxy-edge.ts";
import { edgeContainerName, ensureEdgeRuns } from "./edge-container.ts";
import { edgeView } from "./edge-from-ledger.ts";
import { Compose } from "./engine/compose.ts";
import { Containers } from "./engine/containers.ts";
import { EngineApi } from "./engine/engine-api.ts";
import { Images } from "./engine/images.ts";
import { MountedFiles } from "./engine/mounted-files.ts";
import { Networks } from "./engine/networks.ts";
import { Volumes } from "./engine/volumes.ts";
import type { Host } from "./host.ts";
import { AppRecords } from "./ledger/app-records.ts";
import { Deployments } from "./ledger/deployments.ts";
import { ImageUse } from "./ledger/image-use.ts";
import { Journal } from "./ledger/journal.ts";
import { KnownVolumes } from "./ledger/known-volumes.ts";
import { openLedger } from "./ledger/open-ledger.ts";
import { Parts } from "./ledger/parts.ts";
import { Subnets } from "./ledger/subnets.ts";
import { Vault } from "./ledger/vault.ts";
import { OperationRunner } from "./operations/operation-runner.ts";
import { rebuildLedger } from "./rebuild/rebuild-ledger.ts";
import { recover } from "./recovery.ts";
import { serve } from "./rpc-server.ts";
import { startSweep } from "./sweep.ts";
import { Repairs } from "./repairs.ts";
import { agentPaths, readSettings } from "./settings.ts";

const root = process.env["IKOMA_ROOT"] ?? "/var/lib/ikoma";

if (process.argv[2] === "connect") bridgeStandardStreams();
else await runAgent();

/** `agent connect`: standard input and output are the agent's socket, for hosts that forbid forwarding it. */
function bridgeStandardStreams(): void {
  const socket = connect(agentPaths(root).socket);
  process.stdin.pipe(socket).pipe(process.stdout);
  socket.on("error", (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
  socket.on("close", () => process.exit(0));
}

async function runAgent(): Promise<void> {
  const host = openHost();
  const runner = new OperationRunner(host);
  const ready = start(host);
  const server = serve(host, runner, ready);
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    // What is under way goes on from the journal at the next start.
    process.once(signal, () => {
      server.close();
      process.exit(0);
    });
  }
  await ready;
  startSweep(host, runner);
  host.log.info({ apps: host.parts.apps() }, "the agent is ready");
}

async function start(host: Host): Promise<void> {
  await rebuildLedger(host);
  await host.edge.persist(() => edgeView(host));
  await ensureEdgeRuns(host);
  await recover(host);
}

function openHost(): Host {
  const paths = agentPaths(root);
  const settings = readSettings(paths.settings);
  const log = pino({ base: { name: "ikoma-agent" } });
  const vault = Vault.open(paths.key);
  const repairs = new Repairs();
  const database = openLedger(paths.database, vault, { log, repairs });
  const engine = new EngineApi();
  const containers = new Containers(engine);
  return {
    settings,
    paths,
    log,
    engine,
    containers,
    networks: new Networks(engine),
    images: new Images(engine, paths.dockerConfig),
    volumes: new Volumes(engine),
    files: new MountedFiles(paths.files, vault),
    compose: new Compose(),
    edge: createHaproxyEdge({
      directory: paths.edge,
      startupLog: async () => (await containers.lastLines(edgeContainerName, 20)).join("\n"),
    }),
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
}
