import * as z from "zod";
import type { HealthProbe } from "../../core/release/release-spec.ts";
import type { ProbeFacts } from "../../core/release/release-failure.ts";
import type { Containers } from "../engine/containers.ts";
import { isAccepted, probe, shownText } from "./http-probe.ts";
import type { GateTarget } from "./health-gate.ts";

const pollMs = 50;
const longestCommandMs = 30_000;
const probeTimeoutMs = 2_000;
/**
 * How long a container without any check must run before it counts as up. On a busy host with two cores a program
 * that fails at its start takes over a second to get there: at 400 ms a crashing worker passed for a good one.
 */
const settleMs = 2_000;
/** What of a check's answer an error quotes, in characters. */
const quotedLength = 500;

/** Gives undefined when the target is healthy, else what it said, free of secrets. */
export type HealthCheck = (signal: AbortSignal) => Promise<ProbeFacts | undefined>;

/**
 * The check of a target: its compose health check, else the HTTP probe where it has a port, else that it stays up.
 *
 * @param deadlineMs when the waiting ends, in ms of `performance.now()`, which nobody sets: no check outlasts it by much
 */
export function healthCheckOf(
  containers: Containers,
  target: GateTarget,
  health: HealthProbe,
  deadlineMs: number,
  redact: (text: string) => string,
): HealthCheck {
  const command = healthCommand(target.healthcheck);
  if (command !== undefined) return commandCheck(containers, target, command, deadlineMs, redact);
  if (target.http !== undefined) return httpCheck(target.http, health, redact);
  const since = performance.now();
  return () => Promise.resolve(performance.now() - since >= settleMs ? undefined : { kind: "settling" });
}

function commandCheck(
  containers: Containers,
  target: GateTarget,
  command: string[],
  deadlineMs: number,
  redact: (text: string) => string,
): HealthCheck {
  return async (signal) => {
    const timeoutMs = Math.round(Math.min(longestCommandMs, Math.max(pollMs, deadlineMs - performance.now())));
    const timeout = AbortSignal.timeout(timeoutMs);
    const { code, output } = await containers
      .exec(target.containerId, command, AbortSignal.any([signal, timeout]))
      .catch((error: unknown) => {
        // The container may have gone while the command ran; the next look at it says so.
        const reason = error instanceof Error ? error.message : String(error);
        return { code: -1, output: timeout.aborted ? `it had not ended after ${timeoutMs} ms` : reason };
      });
    // Masked before it is cut: half a secret would not be found.
    return code === 0 ? undefined : { kind: "command", code, said: redact(output).slice(-quotedLength) };
  };
}

function httpCheck(
  http: { address: string; port: number; host: string },
  health: HealthProbe,
  redact: (text: string) => string,
): HealthCheck {
  return async (signal) => {
    const answer = await probe(http, { path: health.path, host: http.host, timeoutMs: probeTimeoutMs, signal });
    if (isAccepted(answer, health.status)) return undefined;
    const asked = { kind: "http", path: health.path, port: http.port, said: shownText(answer, redact) } as const;
    return "status" in answer ? { ...asked, status: answer.status } : asked;
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
