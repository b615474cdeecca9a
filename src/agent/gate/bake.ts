import { setTimeout as sleep } from "node:timers/promises";
import { IkomaError, toIkomaError } from "../../core/errors.ts";
import type { BakePolicy, HealthProbe } from "../../core/release/release-spec.ts";
import type { Edge } from "../edge/edge.ts";
import type { Containers } from "../engine/containers.ts";
import type { OperationContext } from "../host.ts";
import { BakeTally, describeFigures, judge } from "./bake-verdict.ts";
import type { BakeFigures } from "./bake-verdict.ts";
import { describeProbe } from "../../core/release/release-failure.ts";
import { healthCheckOf } from "./health-check.ts";
import { howItFell } from "./health-gate.ts";
import type { GateTarget } from "./health-gate.ts";

/** A release that has just been switched to. */
export interface BakingRelease {
  app: string;
  policy: BakePolicy;
  health: HealthProbe;
  /** Its containers, each healthy a moment ago. */
  targets: readonly GateTarget[];
  /** Names of its servers on the edge. */
  servers: readonly string[];
}

/** Where it can be watched. */
export interface BakePlace {
  edge: Edge;
  containers: Containers;
}

const edgePollMs = 100;
const containerPollMs = 250;
const probePauseMs = 1000;
const tellEveryMs = 1000;
/** While it is reloaded for another app, HAProxy may not answer for a moment. */
const edgeSilenceMs = 3000;
/** One answer may be lost to a busy moment. */
const failedProbesInARow = 3;

/**
 * Watches a release that gets visitors' requests: the edge's own counters, the containers, the health checks. Ends
 * when the policy's time is over.
 *
 * @throws IkomaError RELEASE_BAKE_FAILED as soon as it is bad; EDGE_FAILED where somebody took it from the edge
 */
export async function bake(place: BakePlace, release: BakingRelease, op: OperationContext): Promise<void> {
  const { containers } = place;
  const { policy, health, targets } = release;
  if (policy.seconds === 0) return;
  const stop = new AbortController();
  const signal = AbortSignal.any([op.signal, stop.signal]);
  const fallen = targets.flatMap((target) => [
    watchContainer(containers, target, signal, op),
    watchHealth(containers, target, health, signal, op),
  ]);
  try {
    await Promise.race([watchEdge(place.edge, release, signal, op), ...fallen]);
  } finally {
    stop.abort();
    await Promise.allSettled(fallen);
  }
}

async function watchEdge(edge: Edge, release: BakingRelease, signal: AbortSignal, op: OperationContext): Promise<void> {
  const { policy } = release;
  const tally = new BakeTally();
  const startedMs = performance.now();
  const endMs = startedMs + policy.seconds * 1000;
  let [heardMs, toldMs] = [startedMs, -Infinity];
  for (;;) {
    const isOver = performance.now() >= endMs;
    const figures = await look(edge, release, tally).catch((error: unknown) => {
      if (toIkomaError(error).code === "EDGE_FAILED" && performance.now() - heardMs < edgeSilenceMs) return undefined;
      throw error;
    });
    if (figures !== undefined) {
      heardMs = performance.now();
      const verdict = judge(figures, policy, isOver);
      if (verdict !== undefined) throw failure(verdict, { ...figures });
      if (isOver || heardMs - toldMs >= tellEveryMs) {
        toldMs = heardMs;
        tell(figures, policy, heardMs - startedMs, op);
      }
      if (isOver) return;
    }
    await sleep(edgePollMs, undefined, { signal });
  }
}

/** The figures as they are now. */
async function look(edge: Edge, { app, servers }: BakingRelease, tally: BakeTally): Promise<BakeFigures> {
  const figures = tally.add(await edge.counters(app, servers));
  const served = await edge.served(app);
  for (const name of servers) {
    const states = served.servers.filter((each) => each.name === name).map((each) => each.state);
    if (states.includes("down")) throw failure(`the edge cannot connect to ${name} any more`, { server: name });
    if (states.length === 0 || states.some((state) => state !== "ready"))
      throw new IkomaError(
        "EDGE_FAILED",
        `The edge does not serve ${name} any more, though it is still being watched.`,
      );
  }
  return figures;
}

function tell(figures: BakeFigures, policy: BakePolicy, sinceMs: number, op: OperationContext): void {
  const seconds = Math.min(policy.seconds, Math.round(sinceMs / 1000));
  op.step("bake", `${seconds} of ${policy.seconds} s: ${describeFigures(figures)}`);
  if (sinceMs < policy.seconds * 1000 || figures.failed === 0 || figures.requests >= policy.minRequests) return;
  op.warn("bake", `${describeFigures(figures)}: too few to judge by (${policy.minRequests} are needed)`);
}

async function watchContainer(
  containers: Containers,
  { containerId, service, restartsBefore = 0 }: GateTarget,
  signal: AbortSignal,
  op: OperationContext,
): Promise<never> {
  for (;;) {
    const reason = howItFell(await containers.inspect(containerId), restartsBefore, op.redact);
    if (reason !== undefined) throw failure(`the service ${service} fell (${reason})`, { service, reason });
    await sleep(containerPollMs, undefined, { signal });
  }
}

async function watchHealth(
  containers: Containers,
  target: GateTarget,
  health: HealthProbe,
  signal: AbortSignal,
  op: OperationContext,
): Promise<never> {
  const { service } = target;
  const check = healthCheckOf(containers, target, health, Number.POSITIVE_INFINITY, op.redact);
  let failed = 0;
  for (;;) {
    await sleep(probePauseMs, undefined, { signal });
    const answer = await check(signal);
    signal.throwIfAborted();
    failed = answer === undefined ? 0 : failed + 1;
    if (answer !== undefined && failed >= failedProbesInARow)
      throw failure(`the service ${service} is not healthy any more: ${describeProbe(answer)}`, {
        service,
        probe: answer,
      });
  }
}

function failure(reason: string, details: Record<string, unknown>): IkomaError {
  return new IkomaError("RELEASE_BAKE_FAILED", `The release went bad while it served: ${reason}.`, { details });
}
