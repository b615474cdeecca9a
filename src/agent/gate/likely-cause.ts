import { isLoopback } from "../../core/link/loopback.ts";
import { describeProbe, formatMebibytes, describeListeners } from "../../core/release/release-failure.ts";
import type { Listener, ProbeFacts } from "../../core/release/release-failure.ts";
import { findingsIn } from "./log-causes.ts";
import type { LogFinding } from "./log-causes.ts";

/** What was seen of a service that failed its gate. Free of secrets; nothing here is asked for again. */
export interface ObservedFailure {
  readonly app: string;
  readonly service: string;
  /** Set where its process ended, or could not be started. */
  readonly exitCode?: number | undefined;
  readonly outOfMemory?: boolean | undefined;
  readonly memoryLimitBytes?: number | undefined;
  readonly engineError?: string | undefined;
  readonly probe?: ProbeFacts | undefined;
  /** Undefined where it is not known. */
  readonly listening?: readonly Listener[] | undefined;
  /** Variables that the compose file gives it. */
  readonly variables: readonly { readonly name: string; readonly isEmpty: boolean }[];
  readonly log: readonly string[];
}

/** An explanation of a failure, and what to do about it. */
export interface LikelyCause {
  /** For programs. */
  readonly id: string;
  /** Goes on after "The service web stopped while it started: ". */
  readonly says: string;
  /** The next step, with the command where there is one. */
  readonly next: string;
}

/**
 * The explanations that fit, the most likely first; never none. What the engine or the kernel knows goes before what
 * the log says, and that before what is concluded from a probe.
 */
export function likelyCauses(seen: ObservedFailure): [LikelyCause, ...LikelyCause[]] {
  const log = seen.engineError === undefined ? seen.log : [...seen.log, seen.engineError];
  const findings = findingsIn(log);
  const found = [
    memoryCause(seen),
    wrongListenerCause(seen),
    missingVariablesCause(seen, findings),
    ...findings.filter(({ id }) => id !== "variable-missing").map((each) => logCause(seen, each)),
    noListenerCause(seen),
    exitCause(seen),
    probeCause(seen),
  ].filter((each) => each !== undefined);
  const [first = unknownCause(seen), ...others] = distinct(found);
  // An empty variable may well be meant so: it explains nothing before all else.
  return [first, ...others, ...emptyVariablesCause(seen)];
}

function distinct(causes: readonly LikelyCause[]): LikelyCause[] {
  return [...new Map(causes.toReversed().map((each) => [each.id, each])).values()].toReversed();
}

function memoryCause({ outOfMemory, memoryLimitBytes, service }: ObservedFailure): LikelyCause | undefined {
  if (outOfMemory !== true) return undefined;
  const limit =
    memoryLimitBytes === undefined ? "the host's memory" : `its limit of ${formatMebibytes(memoryLimitBytes)}`;
  return {
    id: "out-of-memory",
    says: `it ran out of memory and was killed: it needs more than ${limit}`,
    next:
      memoryLimitBytes === undefined
        ? "Free memory on the host (`ikoma host status` shows it), or let the service need less."
        : `Raise \`mem_limit\` (or \`deploy.resources.limits.memory\`) of ${service} in the compose file, or let it need less.`,
  };
}

function missingVariablesCause(seen: ObservedFailure, findings: readonly LogFinding[]): LikelyCause | undefined {
  const names = findings.flatMap(({ id, subject }) =>
    id === "variable-missing" && subject !== undefined ? [subject] : [],
  );
  const [first] = names;
  if (first === undefined) return undefined;
  const declared = seen.variables.find(({ name }) => name === first);
  return {
    id: "variable-missing",
    says: `it misses ${names.length === 1 ? "the variable" : "the variables"} ${names.join(", ")}`,
    next:
      declared === undefined
        ? `Add \`${first}: \${${first}:?}\` to \`environment\` of ${seen.service} in the compose file, make the bundle again, and set it: ${setCommand(seen.app, first)}.`
        : `Set it: ${setCommand(seen.app, first)}.`,
  };
}

/** Where in the settings an app stands is a matter of the stack, which a host does not know; its secrets stand in one place. */
function setCommand(app: string, variable: string): string {
  return `\`pulumi config set --secret --path 'ikoma:secrets.${app}.${variable}'\`, or \`${variable}\` in \`env\` of the app's settings if it is no secret`;
}

const rebuild = "Correct the image, build and push it, and make the bundle again with `ikoma bundle create`.";

/** What was found in a log, as a text may use it. */
interface Found {
  readonly seen: ObservedFailure;
  /** What it is about (a host, a module…), else the line. */
  readonly what: string;
  readonly line: string;
}

/** What each finding of a log means. A missing variable is told by its own rule. */
const logCauses: Readonly<Record<LogFinding["id"], ((found: Found) => Omit<LikelyCause, "id">) | undefined>> = {
  "variable-missing": undefined,
  "wrong-architecture": () => ({
    says: "its image is built for another processor than the host's (exec format error)",
    next: "Build it for the host's: `docker buildx build --platform linux/amd64 --push …` (or linux/arm64), and make the bundle again.",
  }),
  "heap-exhausted": () => ({
    says: "its program used up the memory that its own run time allows",
    next: "Allow more (for Node `NODE_OPTIONS=--max-old-space-size=…` in `environment`), or let it need less.",
  }),
  "database-login": ({ seen, line }) => ({
    says: `the database refuses its login (${quoted(line)})`,
    next: `Compare user and password with those that the database was made with: a database keeps its first password. Set them with \`pulumi config set --secret --path 'ikoma:secrets.${seen.app}.NAME'\`.`,
  }),
  "database-missing": ({ what }) => ({
    says: `the database ${what} does not exist on its server`,
    next: "Make it, or correct the database's name in the connection string.",
  }),
  "schema-missing": ({ what }) => ({
    says: `the database has no ${what}: its migrations have not run`,
    next: "Run the migrations before this release, or let the app run them when it starts.",
  }),
  "host-unknown": ({ what }) => ({
    says: `it cannot find the host ${what}`,
    next: `Use the name of a service of the compose file (\`ikoma bundle inspect\` lists them), or correct the address in its settings.`,
  }),
  "cannot-connect": ({ what }) => ({
    says: `nothing accepts its connection to ${what}`,
    next: `Check that the service it needs runs (\`ikoma status --live\`) and that address and port are right; inside a container \`localhost\` is the container itself.`,
  }),
  "port-in-use": ({ line }) => ({
    says: `the port it wants is taken (${quoted(line)})`,
    next: "Start one server in the container, on one port, or stop what holds the port on the host.",
  }),
  "module-missing": ({ what }) => ({
    says: `its image lacks ${what}`,
    next: `Copy or install it in the Dockerfile. ${rebuild}`,
  }),
  "command-missing": ({ seen, what }) => ({
    says: `its command ${what} is not in the image`,
    next: `Correct \`command\` or \`entrypoint\` of ${seen.service}, or the Dockerfile. ${rebuild}`,
  }),
  permission: ({ line }) => ({
    says: `it lacks a permission (${quoted(line)})`,
    next: "Give the image's user the right to it (`chown`, `chmod +x` in the Dockerfile), use a port above 1023, or mount a volume where it writes.",
  }),
};

function logCause(seen: ObservedFailure, { id, line, subject }: LogFinding): LikelyCause | undefined {
  const cause = logCauses[id]?.({ seen, line, what: subject ?? quoted(line) });
  return cause && { id, ...cause };
}

/** Of a service that runs and that nobody reaches: where it listens instead. */
function wrongListenerCause(seen: ObservedFailure): LikelyCause | undefined {
  const { port, listening = [] } = unanswered(seen) ?? {};
  if (port === undefined || listening.length === 0) return undefined;
  const onPort = listening.filter((each) => each.port === port);
  if (onPort.some(({ address }) => !isLoopback(address))) return undefined;
  if (onPort.length > 0) {
    return {
      id: "listens-on-loopback",
      says: `it listens on ${describeListeners(onPort)} only, which nothing outside its container can reach`,
      next: "Let it listen on 0.0.0.0 (often `HOST=0.0.0.0` or `--host 0.0.0.0`).",
    };
  }
  const instead = listening.find(({ address }) => !isLoopback(address)) ?? listening[0];
  return {
    id: "listens-on-other-port",
    says: `it listens on ${describeListeners(listening)}, but requests are sent to port ${port}`,
    next: `Set \`x-ikoma: { port: ${instead?.port ?? port} }\` on ${seen.service} in the compose file, or let it listen on ${port} (often \`PORT=${port}\`).`,
  };
}

function noListenerCause(seen: ObservedFailure): LikelyCause | undefined {
  const { port, listening } = unanswered(seen) ?? {};
  if (port === undefined || listening === undefined || listening.length > 0) return undefined;
  return {
    id: "listens-nowhere",
    says: `it listens on no port yet; requests are sent to port ${port}`,
    next: "Give it more time (`health.timeoutSeconds`) if it is slow to start; else look in its log for what it waits for.",
  };
}

/** The port of a probe that nothing answered, and what is known to listen. */
function unanswered({
  probe,
  listening,
}: ObservedFailure): (Pick<ObservedFailure, "listening"> & { port: number }) | undefined {
  return probe?.kind === "http" && probe.status === undefined ? { port: probe.port, listening } : undefined;
}

function exitCause({ exitCode, engineError, outOfMemory }: ObservedFailure): LikelyCause | undefined {
  if (engineError !== undefined)
    return { id: "not-started", says: `the engine could not start it: ${engineError}`, next: rebuild };
  switch (exitCode) {
    case undefined:
      return undefined;
    case 0:
      return {
        id: "ended-by-itself",
        says: "its program ended without an error; a service has to go on running",
        next: "Let its command stay in the foreground; what runs once is `x-ikoma: { kind: job }` in the compose file.",
      };
    case 126:
      return {
        id: "permission",
        says: "its command cannot be executed (exit code 126)",
        next: `Make it executable in the Dockerfile (\`chmod +x\`). ${rebuild}`,
      };
    case 127:
      return { id: "command-missing", says: "its command is not in the image (exit code 127)", next: rebuild };
    case 134:
    case 139:
      return {
        id: "fault",
        says: "its program crashed in native code",
        next: "Look for native modules that were built for another system or C library.",
      };
    case 137:
      return outOfMemory === true
        ? undefined
        : {
            id: "killed",
            says: "it was killed from outside (SIGKILL)",
            next: "Look for who killed it: the host's kernel log tells of a lack of memory (`dmesg | grep -i oom`).",
          };
    default:
      return undefined;
  }
}

function probeCause({ probe }: ObservedFailure): LikelyCause | undefined {
  if (probe === undefined || probe.kind === "settling") return undefined;
  const says = describeProbe(probe);
  if (probe.kind === "command")
    return {
      id: "check-failed",
      says,
      next: "Run the command of `healthcheck` in the container where you build: `docker compose exec`.",
    };
  const { status, path } = probe;
  if (status === undefined)
    return {
      id: "no-answer",
      says,
      next: "Give it more time (`health.timeoutSeconds`) if it is slow; else look in its log for what it waits for.",
    };
  if (status === 404)
    return {
      id: "path-unknown",
      says: `it has no page ${path} (status 404)`,
      next: "Set `health.path` (in `x-ikoma`, or of the app in the stack's configuration) to one that answers.",
    };
  if (status === 401 || status === 403)
    return {
      id: "path-protected",
      says: `${path} asks for a login (status ${status})`,
      next: "Set `health.path` to a page that answers without one, or accept that status with `health.status`.",
    };
  return { id: "answers-badly", says, next: "Its own answer above says what it lacks." };
}

function emptyVariablesCause({ app, variables }: ObservedFailure): LikelyCause[] {
  const [first, ...others] = variables.filter(({ isEmpty }) => isEmpty).map(({ name }) => name);
  if (first === undefined) return [];
  const says = `it was given no value for ${[first, ...others].join(", ")}`;
  return [{ id: "variable-empty", says, next: `If it needs one, set it: ${setCommand(app, first)}.` }];
}

function unknownCause({ log, probe, service }: ObservedFailure): LikelyCause {
  const last = log.at(-1);
  const next = `Correct it, or see it fail where you build: \`docker compose up ${service}\`.`;
  if (last !== undefined) return { id: "unknown", says: `its last line: ${last}`, next };
  const says = probe === undefined ? "it logged nothing" : `${describeProbe(probe)}; it logged nothing`;
  return { id: "unknown", says, next };
}

const longestQuote = 160;

function quoted(line: string): string {
  return line.length <= longestQuote ? line : `${line.slice(0, longestQuote)}…`;
}
