import * as z from "zod";

/** The answer of a service to the question whether it is healthy, free of secrets. */
const probeFacts = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("http"),
    path: z.string(),
    port: z.number(),
    /** Missing where nothing answered. */
    status: z.number().optional(),
    /** The first bytes of the body, or why nothing came: `connect ECONNREFUSED …`. */
    said: z.string(),
  }),
  /** The health check of the compose file. `code` is -1 where it could not be run to its end. */
  z.object({ kind: z.literal("command"), code: z.number(), said: z.string() }),
  /** It has no check: it must stay up for a moment. */
  z.object({ kind: z.literal("settling") }),
]);
export type ProbeFacts = z.infer<typeof probeFacts>;

/** A TCP socket that a service accepts connections on. */
const listener = z.object({ address: z.string(), port: z.number() });
export type Listener = z.infer<typeof listener>;

const servingRelease = z.object({ number: z.number(), version: z.string() });

/**
 * What is known of a service that failed its gate. The agent puts it into `details` of RELEASE_CRASHED,
 * RELEASE_UNHEALTHY, RELEASE_SMOKE_FAILED and ACCESSORY_FAILED; the command line and the provider read it from there.
 */
export const failureFacts = z.object({
  service: z.string(),
  /** What happened, in a sentence without its full stop. */
  happened: z.string(),
  /** Why, as far as it can be told; the first of `causes`. */
  cause: z.string(),
  /** Every explanation that fits, the most likely one first. */
  causes: z.array(z.object({ id: z.string(), says: z.string() })).default([]),
  exitCode: z.number().optional(),
  outOfMemory: z.boolean().optional(),
  /** The container's limit; missing where it has none. */
  memoryLimitBytes: z.number().optional(),
  /** Words of the engine, where it could not start the container. */
  engineError: z.string().optional(),
  probe: probeFacts.optional(),
  /** Where it listens, seen from inside its container; missing where that is not known. */
  listening: z.array(listener).optional(),
  /** Variables that the compose file gives it, and that are empty. */
  emptyVariables: z.array(z.string()).default([]),
  /** Its last lines. */
  log: z.array(z.string()).default([]),
  /** The release that serves on; null where none served before. */
  serving: servingRelease.nullable().optional(),
});
export type FailureFacts = z.infer<typeof failureFacts>;

/** The facts in an error's details; undefined where it is about something else. */
export function readFailureFacts(details: unknown): FailureFacts | undefined {
  const read = failureFacts.safeParse(details);
  return read.success ? read.data : undefined;
}

/** A line of evidence: what it is about, in one or two words, and what was seen. */
export interface Evidence {
  readonly label: string;
  readonly text: string;
}

/** Everything that was seen but the log, most telling first. */
export function evidenceOf(facts: FailureFacts): Evidence[] {
  const { probe, listening, emptyVariables, engineError, serving } = facts;
  const lines: (Evidence | undefined)[] = [
    facts.exitCode === undefined ? undefined : { label: "exit code", text: exitText(facts) },
    engineError === undefined ? undefined : { label: "engine", text: engineError },
    probe === undefined ? undefined : { label: "probe", text: describeProbe(probe) },
    listening === undefined ? undefined : { label: "listens on", text: describeListeners(listening) },
    emptyVariables.length === 0 ? undefined : { label: "no value", text: emptyVariables.join(", ") },
    serving === undefined ? undefined : { label: "serves on", text: describeServing(serving) },
  ];
  return lines.filter((each) => each !== undefined);
}

function exitText({ exitCode = 0, outOfMemory, memoryLimitBytes }: FailureFacts): string {
  const limit = memoryLimitBytes === undefined ? "" : `; limit ${formatMebibytes(memoryLimitBytes)}`;
  if (outOfMemory === true) return `${exitCode}, killed for its memory${limit}`;
  return `${exitCode}${signalOf(exitCode)}`;
}

const signals: Readonly<Record<number, string>> = {
  6: "SIGABRT",
  9: "SIGKILL",
  11: "SIGSEGV",
  15: "SIGTERM",
};

/** Shells and engines give 128 + N for a program that signal N ended. */
function signalOf(exitCode: number): string {
  const name = signals[exitCode - 128];
  return name === undefined ? "" : ` (${name})`;
}

/** Memory in the unit that compose files use. */
export function formatMebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}

/** A probe and its answer in words: `GET /health on port 8080: status 503: not healthy`. */
export function describeProbe(probe: ProbeFacts): string {
  switch (probe.kind) {
    case "http": {
      const question = `GET ${probe.path} on port ${probe.port}`;
      const status = probe.status === undefined ? [] : [`status ${probe.status}`];
      return [question, ...status, probe.said].filter((part) => part !== "").join(": ");
    }
    case "command":
      return ["its health check failed", probe.code >= 0 && `exit code ${probe.code}`, probe.said]
        .filter(Boolean)
        .join(": ");
    case "settling":
      return "it has only just started";
  }
}

/** `0.0.0.0:8080, 127.0.0.1:9229`, or that there is nothing. */
export function describeListeners(listeners: readonly Listener[]): string {
  if (listeners.length === 0) return "no port";
  return listeners
    .map(({ address, port }) => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`))
    .join(", ");
}

function describeServing(serving: FailureFacts["serving"]): string {
  return serving == null
    ? "nothing: there was no release before"
    : `#${serving.number} (${serving.version}), as before`;
}
