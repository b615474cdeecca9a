import { chmodSync, mkdirSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import process from "node:process";
import { pino } from "pino";
import { startScheduledBackups } from "./backups/scheduled-backups.ts";
import { createHaproxyEdge } from "./edge/haproxy-edge.ts";
import { edgeContainerName, ensureEdgeRuns } from "./edge-container.ts";
import { edgeView } from "./edge-from-ledger.ts";
import { Containers } from "./engine/containers.ts";
import { EngineApi } from "./engine/engine-api.ts";
import { Images } from "./engine/images.ts";
import { openHost } from "./open-host.ts";
import { OperationRunner } from "./operations/operation-runner.ts";
import { rebuildLedger } from "./rebuild/rebuild-ledger.ts";
import { recover } from "./recovery.ts";
import { serve } from "./rpc-server.ts";
import { agentPaths, readSettings, type AgentPaths } from "./settings.ts";
import { startSweep } from "./sweep.ts";
import { AgentContainers } from "./take-over/agent-containers.ts";
import { AgentLock } from "./take-over/agent-lock.ts";
import { EdgeReplacement } from "./take-over/edge-replacement.ts";
import { removeLedger } from "./take-over/ledger-copy.ts";
import { rehearse } from "./take-over/rehearsal.ts";
import { TakeOver } from "./take-over/take-over.ts";

const lockDeadlineMs = 30_000;
/** From the end of the agent before until this one works. */
const takeOverDeadlineMs = 60_000;

const paths = agentPaths(process.env["IKOMA_ROOT"] ?? "/var/lib/ikoma");

if (process.argv[2] === "connect") bridgeStandardStreams();
else await runAgent();

/** `agent connect`: standard input and output are the agent's socket, for hosts that forbid forwarding it. */
function bridgeStandardStreams(): void {
  const socket = connect(paths.socket);
  process.stdin.pipe(socket).pipe(process.stdout);
  socket.on("error", (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
  socket.on("close", () => process.exit(0));
}

async function runAgent(): Promise<void> {
  const log = pino({ base: { name: "ikoma-agent" } });
  const settings = readSettings();
  makeFolders(paths);
  const engine = new EngineApi();
  const containers = new Containers(engine);
  const images = new Images(engine, paths.dockerConfig);
  const startupLog = async () => (await containers.lastLines(edgeContainerName, 20)).join("\n");
  const parts = { log, settings, paths, engine, edge: createHaproxyEdge({ directory: paths.edge, startupLog }) };
  const place = await AgentContainers.look(containers, process.env["IKOMA_AGENT_INSTANCE"] ?? "");
  const edges = new EdgeReplacement({ settings, paths, containers, images });
  const takeOver = place.isSettled ? undefined : new TakeOver(place, edges, paths, log);
  const opened: (() => void)[] = [];
  const end = async (code: number, reason: unknown): Promise<never> => {
    for (const close of opened.splice(0).reverse()) close();
    await takeOver?.goBack(reason);
    process.exit(code);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    // What is under way goes on from the journal at the next start.
    process.once(signal, () => void end(0, new Error(`The agent was told to end (${signal}).`)));
  }
  try {
    await takeOver?.prepare(() => rehearse(parts));
    takeOver?.within(takeOverDeadlineMs, (error) => end(1, error));
    const lock = await AgentLock.take(paths.lock, lockDeadlineMs);
    opened.push(() => {
      lock.release();
    });
    if (takeOver === undefined) removeLedger(paths.ledgerBefore);
    else takeOver.secureLedger();
    const { host, close } = openHost(parts);
    opened.push(close);
    const runner = new OperationRunner(host);
    const ready = Promise.withResolvers<undefined>();
    const server = serve(host, runner, ready.promise);
    opened.push(() => {
      server.close();
    });
    await rebuildLedger(host);
    await host.edge.persist(() => edgeView(host));
    if (takeOver === undefined) {
      await ensureEdgeRuns(host);
      await edges.endLeftOver(host).catch((error: unknown) => {
        log.warn({ reason: String(error) }, "the edge before could not be ended");
      });
    } else await takeOver.settle(host);
    await recover(host);
    ready.resolve(undefined);
    startSweep(host, runner);
    startScheduledBackups(host, runner);
    if (settings.api !== undefined) {
      const { startLink } = await import("./link/start-link.ts");
      opened.push(startLink(host, settings.api));
    }
    log.info({ apps: host.parts.apps() }, "the agent is ready");
  } catch (error) {
    log.error({ reason: error instanceof Error ? error.stack : String(error) }, "the agent cannot start");
    await end(1, error);
  }
}

/** For root alone, but for the socket, which users of the engine may reach. */
function makeFolders({ root, database, edge, dockerConfig }: AgentPaths): void {
  for (const folder of [dirname(database), edge, dirname(dockerConfig)])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(root, 0o711);
}
