import type { OperationEvent } from "../../agent/protocol/wire.ts";
import type { HostAccess } from "../../provider/hosts/agent-access.ts";
import type { CurrentConfig } from "../../provider/hosts/provider-config.ts";
import type { ReadReport } from "../../provider/read-report.ts";
import { providerVersion } from "../../provider/version.ts";
import { isOffline, offlineRefusal } from "../config/offline.ts";
import type { Clearance } from "../policies/change-guard.ts";
import { IkomaError } from "../errors.ts";
import { commandFailure } from "./command-failure.ts";
import { isStep } from "./command-step.ts";
import { engineFailure } from "./engine-errors.ts";
import type { EngineEvent } from "./engine-event.ts";
import { startEngine, type EngineExit } from "./engine-process.ts";
import { addEventLog, addProgram } from "./engine-server.ts";
import { loadLanguageServer, type LanguageServer, type ProgramLoader } from "./language-server.ts";
import { countPlan, PlanBuilder, shownOutputs, type PlanCounts, type PlannedResource } from "./plan.ts";
import { readHostReach, stackConfigFile } from "./stack-config-file.ts";

export type { ReadFinding, ReadReport } from "../../provider/read-report.ts";

/** What may be done with a stack. `drift` reads what really runs and changes nothing, not even the state. */
export type StackOperation = "preview" | "up" | "refresh" | "drift" | "destroy";

/** One run of the engine over a stack. */
export interface EngineRun {
  /** Folder of Pulumi.yaml. */
  workDir: string;
  stackName: string;
  operation: StackOperation;
  program: ProgramLoader;
  /** The ways to hosts; by default the real ones. */
  access?: HostAccess;
  /** How long a host that is away is waited for, where it is reached through the API, in ms. @default 0 */
  waitForHostMs?: number | undefined;
  /** What is waited for. */
  onQueued?: ((message: string) => void) | undefined;
  /** For a refresh: let go of everything on this host, without dialling any. */
  forgetHost?: string;
  /** Added to this process's environment for the engine. */
  env?: Readonly<Record<string, string>>;
  /** Another file than `Pulumi.<stack>.yaml`, for this run. */
  configFile?: string;
  /** What the history says of this run. */
  message?: string;
  /** Aborted: the engine and the operations on hosts are asked to stop, and the run fails with CANCELLED. */
  signal?: AbortSignal;
  onEvent?: (event: EngineEvent) => void;
  /** What operations on hosts do, by the resource they belong to. */
  onProviderEvent?: (urn: string, event: OperationEvent) => void;
  /** Volumes that may be made anew, empty, where they are gone. */
  recreateVolumes?: readonly string[];
  /** What the policy is told of this run. */
  clearance?: Clearance;
  /** What each read found. With it a host that cannot be read does not fail the run. */
  onRead?: (report: ReadReport) => void;
}

/** What a run that went well has done, or, for a preview, would do. */
export interface StackResult {
  outputs: Record<string, unknown>;
  changes: PlanCounts;
  plan: PlannedResource[];
}

const commands: Readonly<Record<StackOperation, readonly string[]>> = {
  preview: ["preview"],
  up: ["up", "--yes", "--skip-preview"],
  refresh: ["refresh", "--yes", "--skip-preview"],
  drift: ["refresh", "--preview-only"],
  destroy: ["destroy", "--yes", "--skip-preview"],
};

/** Runs the engine once, with program and provider in this process. Failures are thrown as the error that caused them. */
export async function runEngineOnce(run: EngineRun, moreArgs: readonly string[] = []): Promise<StackResult> {
  const current = await currentConfig(run);
  if (current.offline && (run.operation === "up" || run.operation === "destroy")) throw offlineRefusal();
  const observed = new Observation(run);
  const { addProvider, createEngineServer, listen } = await import("../../provider/server.ts");
  const server = createEngineServer();
  const access = run.access ?? lazyHostAccess(run);
  const fail = observed.fail.bind(observed);
  const session = addProvider(server, {
    access,
    current,
    version: providerVersion,
    onEvent: (urn, event) => run.onProviderEvent?.(urn, event),
    ...(run.recreateVolumes !== undefined && { recreateVolumes: run.recreateVolumes }),
    ...(run.clearance !== undefined && { clearance: run.clearance }),
    ...(run.onRead !== undefined && { onRead: run.onRead }),
    onFailure: (_urn, error) => {
      fail(error);
    },
  });
  addEventLog(server, (event) => {
    observed.see(event);
  });
  let loaded: Promise<LanguageServer> | undefined;
  const program = (): Promise<LanguageServer> => (loaded ??= loadLanguageServer(run.program, fail));
  addProgram(server, program);
  const port = await listen(server);
  try {
    const engine = await startEngine({
      args: [...engineArgs(run, port), ...moreArgs],
      workDir: run.workDir,
      env: environmentOf(run, port),
      signal: run.signal,
    });
    // Only now: what follows keeps this process busy for half a second, in which the engine starts.
    if (!current.offline && run.forgetHost === undefined)
      for (const host of Object.values(current.hosts)) access.prewarm?.(host);
    const loading = needsProgram(run.operation) ? program().catch(fail) : undefined;
    const exit = await engine.exit;
    await loading;
    observed.throwIfFailed(exit);
    return observed.result();
  } finally {
    await session.close();
    server.forceShutdown();
  }
}

async function currentConfig(run: EngineRun): Promise<CurrentConfig> {
  const reach = await readHostReach(run.configFile ?? stackConfigFile(run.workDir, run.stackName));
  const offline = reach.offline || isOffline({ ...process.env, ...run.env });
  return { ...reach, offline, forgetHost: run.forgetHost };
}

/** Real hosts; the ways to them are loaded when the first is needed. */
function lazyHostAccess({ waitForHostMs, onQueued, signal }: EngineRun): HostAccess {
  let loaded: Promise<HostAccess> | undefined;
  const real = (): Promise<HostAccess> =>
    (loaded ??= import("../../provider/hosts/host-access.ts").then(({ hostAccess }) =>
      hostAccess({ waitForHostMs, onQueued, signal }),
    ));
  return {
    prewarm: (host) => {
      real().then(
        (access) => access.prewarm?.(host),
        () => undefined,
      );
    },
    openAgent: async (host, name) => (await real()).openAgent(host, name),
    installAgent: async (host, setup, onStep, name) => (await real()).installAgent(host, setup, onStep, name),
    removeAgent: async (host, name) => (await real()).removeAgent(host, name),
  };
}

function needsProgram(operation: StackOperation): boolean {
  return operation === "preview" || operation === "up";
}

function engineArgs(run: EngineRun, port: number): string[] {
  const address = `127.0.0.1:${port}`;
  return [
    ...commands[run.operation],
    "--non-interactive",
    ...[
      "--color",
      "never",
      "--stack",
      run.stackName,
      `--client=${address}`,
      "--exec-kind",
      "auto.inline",
      "--event-log",
      `tcp://${address}`,
    ],
    ...(run.configFile === undefined ? [] : ["--config-file", run.configFile]),
    ...(run.message === undefined ? [] : ["--message", run.message]),
  ];
}

function environmentOf(run: EngineRun, port: number): NodeJS.ProcessEnv {
  return {
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    ...run.env,
    PULUMI_AUTOMATION_API: "true",
    // `--event-log` exists only with this.
    PULUMI_DEBUG_COMMANDS: "true",
    PULUMI_DEBUG_PROVIDERS: [`ikoma:${port}`, process.env["PULUMI_DEBUG_PROVIDERS"]].filter(Boolean).join(","),
  };
}

/** What is seen of a run while it goes: the plan, the outputs, and what went wrong first. */
class Observation {
  readonly #run: EngineRun;
  readonly #plan = new PlanBuilder();
  readonly #diagnosed: string[] = [];
  #outputs: Record<string, unknown> = {};
  #failure: unknown;

  constructor(run: EngineRun) {
    this.#run = run;
  }

  see(event: EngineEvent): void {
    this.#plan.add(event);
    if (event.type === "diagnostic" && event.severity === "error") {
      this.#diagnosed.push(event.message);
      if (isStep(event.urn)) this.fail(commandFailure(event.urn, event.message));
    }
    if (event.type === "done" && event.step.type === "pulumi:pulumi:Stack")
      this.#outputs = event.step.new?.outputs ?? {};
    this.#run.onEvent?.(event);
  }

  /** The first failure is the cause; what follows from it is noise. */
  fail(error: unknown): void {
    this.#failure ??= error;
  }

  throwIfFailed(exit: EngineExit): void {
    if (exit.code === 0) return;
    if (this.#run.signal?.aborted === true)
      throw new IkomaError("CANCELLED", "The run was cancelled.", { cause: this.#failure });
    if (this.#failure instanceof IkomaError) throw this.#failure;
    throw engineFailure([...this.#diagnosed, exit.stderr], this.#failure);
  }

  result(): StackResult {
    const plan = this.#plan.resources;
    return { outputs: shownOutputs(this.#outputs), changes: countPlan(plan), plan };
  }
}
