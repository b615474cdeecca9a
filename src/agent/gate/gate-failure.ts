import { readFailureFacts } from "../../core/release/release-failure.ts";
import type { FailureFacts, ProbeFacts } from "../../core/release/release-failure.ts";
import { IkomaError } from "../../core/errors.ts";
import type { ErrorCode } from "../../core/errors.ts";
import type { ReleaseSpec } from "../../core/release/release-spec.ts";
import { routeKey } from "../edge/edge-names.ts";
import { labels } from "../engine/containers.ts";
import type { Container, Containers } from "../engine/containers.ts";
import { ownLabels } from "../engine/networks.ts";
import type { OperationContext } from "../host.ts";
import type { GateTarget } from "./health-gate.ts";
import { likelyCauses } from "./likely-cause.ts";
import type { ObservedFailure } from "./likely-cause.ts";
import { listeningSockets } from "./listening-sockets.ts";

const logLines = 20;
/** What of a line an error quotes, in characters. */
const quotedLength = 500;

/** A service that stopped, or never started: RELEASE_CRASHED with all that can be found out at once. */
export async function crashError(
  containers: Containers,
  target: GateTarget,
  container: Container | undefined,
  op: OperationContext,
): Promise<IkomaError> {
  if (container === undefined) {
    const message = `The container of service ${target.service} was removed while it started.`;
    return new IkomaError("RELEASE_CRASHED", message, { hint: "Find out who removed it, and deploy again." });
  }
  const [log, exit] = await Promise.all([
    tellLastLines(containers, target.service, target.containerId, op),
    exitOf(containers, container),
  ]);
  const { Error: engineError } = container.State;
  const seen = observe(target, {
    ...exit,
    log,
    ...(engineError !== "" && { engineError: op.redact(engineError) }),
    ...(container.HostConfig.Memory > 0 && { memoryLimitBytes: container.HostConfig.Memory }),
  });
  const code = exit.exitCode === undefined ? "" : ` (exit code ${exit.exitCode})`;
  const wasStarted = container.State.Status !== "created";
  const happened = `The service ${target.service} ${wasStarted ? "stopped while it started" : "could not be started"}${code}`;
  return failure("RELEASE_CRASHED", happened, seen);
}

/** A service that runs and did not become healthy in time: RELEASE_UNHEALTHY with what it answered and where it listens. */
export async function unhealthyError(
  containers: Containers,
  target: GateTarget,
  container: Container,
  timeoutSeconds: number,
  probe: ProbeFacts,
  op: OperationContext,
): Promise<IkomaError> {
  const [log, listening] = await Promise.all([
    tellLastLines(containers, target.service, target.containerId, op),
    listeningSockets(container.State.Pid),
  ]);
  const seen = observe(target, { probe, log, ...(listening !== undefined && { listening }) });
  const happened = `The service ${target.service} did not become healthy within ${timeoutSeconds} s`;
  return failure("RELEASE_UNHEALTHY", happened, seen);
}

/** What compose failed with, or of a service that the engine could not start, why not: RELEASE_CRASHED. */
export async function startError(
  containers: Containers,
  targets: readonly GateTarget[],
  error: unknown,
  op: OperationContext,
): Promise<unknown> {
  if (!(error instanceof IkomaError) || error.code !== "COMPOSE_INVALID") return error;
  for (const target of targets) {
    const container = await containers.inspect(target.containerId);
    if (container !== undefined && container.State.Error !== "") return crashError(containers, target, container, op);
  }
  return error;
}

/**
 * A wrong answer to a smoke check, with the log of the service that gave it; any other error as it is. To be asked
 * before its containers are removed.
 */
export async function withServiceLog(
  containers: Containers,
  spec: ReleaseSpec,
  number: number,
  error: unknown,
  op: OperationContext,
): Promise<unknown> {
  if (!(error instanceof IkomaError) || error.code !== "RELEASE_SMOKE_FAILED") return error;
  const { message, hint, details } = error;
  const service = serviceOf(spec, String(details["path"]));
  // Nothing that can be missing here may keep the release from being undone.
  const own = { ...ownLabels(spec.app, "release", number), [labels.service]: service };
  const [container] = await containers.list(own).catch(() => []);
  const log = container === undefined ? [] : await tellLastLines(containers, service, container.Id, op);
  return new IkomaError("RELEASE_SMOKE_FAILED", message, { hint, details: { ...details, service, log }, cause: error });
}

/** The service that requests for a path go to: that of the longest route. */
function serviceOf({ routes }: ReleaseSpec, path: string): string {
  const asked = `${path.replace(/[?#].*$/, "")}/`;
  const fitting = routes.filter((route) => asked.startsWith(routeKey("", route.path)));
  return fitting.toSorted((a, b) => b.path.length - a.path.length)[0]?.service ?? "";
}

/** The error with what serves in spite of it, where it is one of a service. */
export function sayingWhatServes(error: unknown, serving: FailureFacts["serving"]): unknown {
  if (!(error instanceof IkomaError) || readFailureFacts(error.details) === undefined) return error;
  const { code, message, hint, details } = error;
  return new IkomaError(code, message, { hint, details: { ...details, serving }, cause: error });
}

type Seen = Omit<ObservedFailure, "app" | "service" | "variables">;

function observe({ app, service, environment }: GateTarget, seen: Seen): ObservedFailure {
  const variables = Object.entries(environment).map(([name, value]) => ({ name, isEmpty: value === "" }));
  return { app, service, variables, ...seen };
}

function failure(code: ErrorCode, happened: string, seen: ObservedFailure): IkomaError {
  const causes = likelyCauses(seen);
  const [{ says: cause, next: hint }] = causes;
  const { service, variables, exitCode, outOfMemory, memoryLimitBytes, engineError, probe, listening, log } = seen;
  const details: FailureFacts = {
    service,
    happened,
    cause,
    causes: causes.map(({ id, says }) => ({ id, says })),
    exitCode,
    outOfMemory,
    memoryLimitBytes,
    engineError,
    probe,
    listening: listening?.slice(),
    emptyVariables: variables.filter(({ isEmpty }) => isEmpty).map(({ name }) => name),
    log: log.slice(),
  };
  return new IkomaError(code, `${happened}: ${cause}`, { hint, details: { ...details } });
}

/** An engine that has restarted the container since knows the exit that matters from its events. */
async function exitOf(
  containers: Containers,
  container: Container,
): Promise<{ exitCode?: number; outOfMemory?: boolean }> {
  const { Running, Restarting, ExitCode, OOMKilled } = container.State;
  if (!Running || Restarting) return { exitCode: ExitCode, outOfMemory: OOMKilled };
  return (await containers.lastExit(container.Id).catch(() => undefined)) ?? {};
}

/** The last lines of a container, told as events and given back, free of secrets. */
export async function tellLastLines(
  containers: Containers,
  service: string,
  containerId: string,
  op: OperationContext,
): Promise<string[]> {
  // Some log drivers cannot be read from; that must not hide why the service fell.
  const found = await containers.lastLines(containerId, logLines).catch(() => []);
  const lines = found.map(op.redact);
  for (const line of lines) op.log(service, line);
  return lines.map((line) => line.slice(0, quotedLength));
}
