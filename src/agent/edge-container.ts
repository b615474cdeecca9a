import { setTimeout as sleep } from "node:timers/promises";
import { IkomaError } from "../core/errors.ts";
import { ignoring } from "./engine/containers.ts";
import type { Host } from "./host.ts";

/** The edge's container. */
export const edgeContainerName = "ikoma-edge";

const startDeadlineMs = 10_000;
const pollMs = 50;

/**
 * Makes sure that the edge runs, from the configured image. A running one is left alone whatever its
 * image is: replacing it cuts connections, which only an upgrade of the host may do.
 *
 * @returns whether it had to be started
 */
export async function ensureEdgeRuns(host: Host): Promise<boolean> {
  const existing = await host.containers.inspect(edgeContainerName);
  if (existing === undefined) await createEdge(host);
  if (existing?.State.Running !== true) await host.containers.start(edgeContainerName);
  const deadline = performance.now() + startDeadlineMs;
  while ((await host.edge.version()) === undefined) {
    if (performance.now() > deadline) throw await startError(host);
    await sleep(pollMs);
  }
  return existing?.State.Running !== true;
}

async function createEdge(host: Host): Promise<void> {
  await ignoring([409], () =>
    host.engine.raw({
      method: "POST",
      path: `/containers/create?name=${edgeContainerName}`,
      body: {
        Image: host.settings.edgeImage,
        Labels: { "dev.ikoma.part": "edge" },
        HostConfig: {
          NetworkMode: "host",
          Binds: [`${host.paths.edge}:${host.paths.edge}`],
          RestartPolicy: { Name: "always" },
          // It writes a line for each request that fails: while an app is down those fill a disk.
          LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
        },
      },
    }),
  );
}

async function startError(host: Host): Promise<IkomaError> {
  const lines = await host.containers.lastLines(edgeContainerName, 10).catch(() => []);
  return new IkomaError(
    "EDGE_FAILED",
    `The edge did not come up within ${startDeadlineMs / 1000} s${lines.length === 0 ? "." : `: ${lines.at(-1) ?? ""}`}`,
    {
      details: { log: lines },
    },
  );
}
