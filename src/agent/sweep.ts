import { ensureEdgeRuns } from "./edge-container.ts";
import type { Host } from "./host.ts";
import { retireOthers } from "./operations/converge.ts";
import type { OperationRunner } from "./operations/operation-runner.ts";

const sweepEveryMs = 20_000;

/**
 * Looks after the host now and then: an edge that somebody removed is put back, and what a clean-up
 * could not finish (the engine was busy, the edge did not answer) is tried again. Nothing that serves
 * is touched.
 */
export function startSweep(host: Host, runner: OperationRunner): void {
  const timer = setInterval(() => {
    void sweep(host, runner).catch((error: unknown) => {
      host.log.warn({ reason: String(error) }, "sweep failed; it is tried again");
    });
  }, sweepEveryMs);
  timer.unref();
}

async function sweep(host: Host, runner: OperationRunner): Promise<void> {
  await ensureEdgeRuns(host);
  for (const app of host.parts.apps()) {
    if (runner.current(app) === undefined) await retireOthers(host, app);
  }
}
