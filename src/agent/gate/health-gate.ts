import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { IkomaError } from "../../core/errors.ts";
import type { HealthProbe } from "../../core/deployer/release-spec.ts";
import type { Container, Containers } from "../engine/containers.ts";
import type { OperationContext } from "../host.ts";
import { describeAnswer, isAccepted, probe } from "./http-probe.ts";

/** A container that must become healthy. */
export interface GateTarget {
  service: string;
  containerId: string;
  /** Port of its HTTP probe; without one, and without a health check of its own, it must merely stay up. */
  http?: { address: string; port: number; host: string };
  /** The compose file's `healthcheck`, run by the agent itself: Docker's first run comes after a whole interval. */
  healthcheck: unknown;
  /** How often the engine had restarted it before it was asked for; only what comes on top is a crash. */
  restartsBefore?: number;
}

const pollMs = 50;
const longestPauseMs = 300;
const longestCommandMs = 30_000;
const probeTimeoutMs = 2_000;
/**
 * How long a container without any check must run before it counts as up. On a busy host with two cores a program
 * that fails at its start takes over a second to get there: at 400 ms a crashing worker passed for a good one.
 */
const settleMs = 2_000;
const logLines = 20;
/** What of a line, or of a check's answer, an error quotes, in characters. */
const quotedLength = 500;

/** Waits until all targets are healthy. A container that exits or restarts fails at once, not at the time-out. */
export async function waitUntilHealthy(
  containers: Containers,
  targets: readonly GateTarget[],
  health: HealthProbe,
  op: OperationContext,
): Promise<void> {
  const deadline = Date.now() + health.timeoutSeconds * 1000;
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
  const check = healthCheck(containers, target, health, deadline, op.redact) ?? settleCheck();
  for (;;) {
    signal.throwIfAborted();
    const container = await containers.inspect(target.containerId);
    if (container === undefined || hasFallen(container, target.restartsBefore ?? 0))
      throw await crashError(containers, target, container, op);
    const askedAtMs = Date.now();
    const verdict = await check(signal);
    if (verdict === undefined) return;
    // A check that starts a program takes a processor: at most half of one is taken from what serves.
    const pauseMs = Math.max(pollMs, Date.now() - askedAtMs);
    signal.throwIfAborted();
    if (Date.now() > deadline) throw await unhealthyError(containers, target, health, verdict, op);
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

/** A check gives undefined when the target is healthy, else why not, free of secrets. */
type Check = (signal: AbortSignal) => Promise<string | undefined>;

/**
 * The target's own check, or the HTTP probe; undefined where it has neither. `deadline` in Unix milliseconds bounds
 * how long a command may take.
 */
export function healthCheck(
  containers: Containers,
  target: GateTarget,
  health: HealthProbe,
  deadline: number,
  redact: (text: string) => string,
): Check | undefined {
  const command = healthCommand(target.healthcheck);
  if (command !== undefined) return commandCheck(containers, target, command, deadline, redact);
  return target.http === undefined ? undefined : httpCheck(target.http, health, redact);
}

function settleCheck(): Check {
  const since = Date.now();
  return () => Promise.resolve(Date.now() - since >= settleMs ? undefined : "it has only just started");
}

function commandCheck(
  containers: Containers,
  target: GateTarget,
  command: string[],
  deadline: number,
  redact: (text: string) => string,
): Check {
  return async (signal) => {
    const timeoutMs = Math.min(longestCommandMs, Math.max(pollMs, deadline - Date.now()));
    const timeout = AbortSignal.timeout(timeoutMs);
    const { code, output } = await containers
      .exec(target.containerId, command, AbortSignal.any([signal, timeout]))
      .catch((error: unknown) => {
        // The container may have gone while the command ran; the next look at it says so.
        const reason = error instanceof Error ? error.message : String(error);
        return { code: -1, output: timeout.aborted ? `it had not ended after ${timeoutMs} ms` : reason };
      });
    // Masked before it is cut: half a secret would not be found.
    return code === 0
      ? undefined
      : `its health check ended with ${code}${output === "" ? "" : `: ${redact(output).slice(-quotedLength)}`}`;
  };
}

function httpCheck(
  http: { address: string; port: number; host: string },
  health: HealthProbe,
  redact: (text: string) => string,
): Check {
  return async (signal) => {
    const answer = await probe(http, health.path, http.host, probeTimeoutMs, signal);
    return isAccepted(answer, health.status)
      ? undefined
      : `GET ${health.path} on port ${http.port}: ${describeAnswer(answer, redact)}`;
  };
}

const composeHealthcheck = z.object({
  test: z.union([z.string(), z.array(z.string())]).optional(),
  disable: z.boolean().optional(),
});

/** The command of a compose health check; undefined where there is none or it is switched off. */
export function healthCommand(healthcheck: unknown): string[] | undefined {
  const parsed = composeHealthcheck.safeParse(healthcheck);
  if (!parsed.success || parsed.data.disable === true || parsed.data.test === undefined) return undefined;
  const { test } = parsed.data;
  if (typeof test === "string") return test.trim() === "" ? undefined : ["/bin/sh", "-c", test];
  const [kind, ...rest] = test;
  if (rest.length === 0) return undefined;
  if (kind === "CMD-SHELL") return ["/bin/sh", "-c", rest.join(" ")];
  return kind === "CMD" ? rest : undefined;
}

/** Why a container does not run as it should any more, free of secrets; undefined while it does. */
export function howItFell(
  container: Container | undefined,
  restartsBefore: number,
  redact: (text: string) => string,
): string | undefined {
  if (container === undefined) return "its container was removed";
  if (container.State.OOMKilled) return "it ran out of memory";
  return hasFallen(container, restartsBefore) ? exitReason(container, redact) : undefined;
}

function exitReason({ State, RestartCount }: Container, redact: (text: string) => string): string {
  if (State.OOMKilled) return "it ran out of memory";
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

async function crashError(
  containers: Containers,
  target: GateTarget,
  container: Container | undefined,
  op: OperationContext,
): Promise<IkomaError> {
  if (container === undefined) {
    return new IkomaError(
      "RELEASE_CRASHED",
      `The container of service ${target.service} was removed while it started.`,
    );
  }
  const lines = await tellLastLines(containers, target, op);
  const { ExitCode, OOMKilled } = container.State;
  const why = exitReason(container, op.redact);
  const last = lines.at(-1);
  return new IkomaError(
    "RELEASE_CRASHED",
    `The service ${target.service} stopped while it started (${why})${last === undefined ? "." : `; its last line: ${last}`}`,
    {
      details: { service: target.service, exitCode: ExitCode, outOfMemory: OOMKilled, log: lines },
    },
  );
}

async function unhealthyError(
  containers: Containers,
  target: GateTarget,
  health: HealthProbe,
  verdict: string,
  op: OperationContext,
): Promise<IkomaError> {
  const lines = await tellLastLines(containers, target, op);
  return new IkomaError(
    "RELEASE_UNHEALTHY",
    `The service ${target.service} did not become healthy within ${health.timeoutSeconds} s: ${verdict}`,
    { details: { service: target.service, probe: verdict, log: lines } },
  );
}

/** The last lines of a container, told as events and given back. */
export async function tellLastLines(
  containers: Containers,
  target: Pick<GateTarget, "service" | "containerId">,
  op: OperationContext,
): Promise<string[]> {
  // Some log drivers cannot be read from; that must not hide why the service fell.
  const found = await containers.lastLines(target.containerId, logLines).catch(() => []);
  const lines = found.map(op.redact);
  for (const line of lines) op.log(target.service, line);
  return lines.map((line) => line.slice(0, quotedLength));
}
