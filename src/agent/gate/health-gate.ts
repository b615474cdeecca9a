import { setTimeout as sleep } from "node:timers/promises";
import type { HealthProbe } from "../../core/release/release-spec.ts";
import type { Container, Containers } from "../engine/containers.ts";
import type { OperationContext } from "../host.ts";
import { crashError, unhealthyError } from "./gate-failure.ts";
import { healthCheckOf } from "./health-check.ts";

/** A container that must become healthy. */
export interface GateTarget {
  app: string;
  service: string;
  containerId: string;
  /** What the compose file gives it, resolved. */
  environment: Readonly<Record<string, string>>;
  /** Port of its HTTP probe; without one, and without a health check of its own, it must merely stay up. */
  http?: { address: string; port: number; host: string };
  /** The compose file's `healthcheck`, run by the agent itself: Docker's first run comes after a whole interval. */
  healthcheck: unknown;
  /** How often the engine had restarted it before it was asked for; only what comes on top is a crash. */
  restartsBefore?: number;
}

const pollMs = 50;
const longestPauseMs = 300;

/** Waits until all targets are healthy. A container that exits or restarts fails at once, not at the time-out. */
export async function waitUntilHealthy(
  containers: Containers,
  targets: readonly GateTarget[],
  health: HealthProbe,
  op: OperationContext,
): Promise<void> {
  const deadline = performance.now() + health.timeoutSeconds * 1000;
  const stop = new AbortController();
  const signal = AbortSignal.any([op.signal, stop.signal]);
  try {
    await Promise.all(targets.map((target) => waitForOne(containers, target, health, deadline, signal, op)));
  } finally {
    stop.abort();
  }
}

async function waitForOne(
  containers: Containers,
  target: GateTarget,
  health: HealthProbe,
  deadline: number,
  signal: AbortSignal,
  op: OperationContext,
): Promise<void> {
  const check = healthCheckOf(containers, target, health, deadline, op.redact);
  for (;;) {
    signal.throwIfAborted();
    const container = await containers.inspect(target.containerId);
    if (container === undefined || hasFallen(container, target.restartsBefore ?? 0))
      throw await crashError(containers, target, container, op);
    const askedAtMs = performance.now();
    const verdict = await check(signal);
    if (verdict === undefined) return;
    // A check that starts a program takes a processor: at most half of one is taken from what serves.
    const pauseMs = Math.max(pollMs, performance.now() - askedAtMs);
    signal.throwIfAborted();
    if (performance.now() > deadline)
      throw await unhealthyError(containers, target, container, health.timeoutSeconds, verdict, op);
    await sleep(Math.min(pauseMs, longestPauseMs), undefined, { signal });
  }
}

/** How often the engine has restarted each container with these labels so far, by its id. */
export async function restartCounts(
  containers: Containers,
  labels: Record<string, string>,
): Promise<Map<string, number>> {
  const found = await containers.list(labels);
  return new Map(found.map((each) => [each.Id, each.RestartCount]));
}

/** Why a container does not run as it should any more, free of secrets; undefined while it does. */
export function howItFell(
  container: Container | undefined,
  restartsBefore: number,
  redact: (text: string) => string,
): string | undefined {
  if (container === undefined) return "its container was removed";
  const { State, RestartCount } = container;
  if (State.OOMKilled) return "it ran out of memory";
  if (!hasFallen(container, restartsBefore)) return undefined;
  if (State.Error !== "") return redact(State.Error);
  // While it runs again the engine says 0, whatever it had ended with.
  return State.Running && !State.Restarting ? `restarted ${RestartCount} times` : `exit code ${State.ExitCode}`;
}

function hasFallen(container: Container, restartsBefore: number): boolean {
  const { Status, Restarting } = container.State;
  return (
    Restarting ||
    container.RestartCount > restartsBefore ||
    Status === "exited" ||
    Status === "dead" ||
    Status === "removing"
  );
}
