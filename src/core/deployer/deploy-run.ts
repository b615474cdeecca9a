import type { OperationEvent } from "../../agent/protocol/wire.ts";
import { settingsPath } from "../config/bridge-names.ts";
import type { EngineEvent } from "../engine/engine-event.ts";
import type { ProgramLoader } from "../engine/language-server.ts";
import { PlanBuilder } from "../engine/plan.ts";
import { describePlan, InputsCollector, type DeployPlan, type DeployPlanEntry } from "./deploy-plan.ts";
import type { Clearance } from "../policies/change-guard.ts";
import type { DeployProject } from "../project/deploy-project.ts";
import type { AppEdit } from "../project/deploy-stack-file.ts";

/** Who is told what a run does. */
export interface DeployListener {
  onEvent(event: EngineEvent): void;
  onProviderEvent(urn: string, event: OperationEvent): void;
  /** What was put right of a run that was killed, and what is waited for. */
  onRepair(message: string): void;
  /** A resource is about to be changed, and how. */
  onPlanned(entry: DeployPlanEntry): void;
}

/** One preview or update of an environment. */
export interface DeployRun {
  readonly project: DeployProject;
  readonly operation: "preview" | "up";
  readonly program: ProgramLoader;
  /** Settings of an app that are others for this run; the stack's file stays as it is. */
  readonly edit: AppEdit | undefined;
  /** Change only this app, where the stack has several; the others stay as they are, even if their settings changed. */
  readonly onlyApp?: string;
  /** Volumes that may be made anew, empty, where they are gone from the host. */
  readonly recreateVolumes?: readonly string[];
  /** What the policy is told of this run. */
  readonly clearance?: Clearance;
  /** For the stack's history. */
  readonly message?: string;
  /** How long to wait for another run, in ms; 0 does not wait. */
  readonly waitForLockMs: number;
  /** How long to wait for a host that is away, in ms; 0 does not wait. */
  readonly waitForHostMs?: number | undefined;
  /** Called before another attempt, after another run was waited for; throws where that is not to be made. */
  readonly beforeAnother?: (() => Promise<void>) | undefined;
  readonly signal: AbortSignal;
  readonly listener: DeployListener;
}

/** What a run did, or for a preview would do. */
export interface DeployRunResult {
  readonly plan: DeployPlan;
  /** What is staged on hosts, by app, as the host is told. */
  readonly staged: Readonly<Record<string, unknown>>;
  /** The stack's exports; of a preview those that are known. */
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** Runs the engine over an environment, with an app's settings changed for this run alone. */
export async function runDeploy(run: DeployRun): Promise<DeployRunResult> {
  const { project, edit } = run;
  if (edit === undefined) return runEngine(run, undefined);
  const { withConfigOverride } = await import("../engine/stack-config-file.ts");
  const path = (key: string): string[] => [...settingsPath(project.stackName, edit.app), key];
  const overrides = [
    ...Object.entries(edit.set).map(([key, value]) => ({ path: path(key), value })),
    ...edit.remove.map((key) => ({ path: path(key), value: undefined })),
  ];
  return withConfigOverride(project.stackFile, overrides, (configFile) => runEngine(run, configFile));
}

async function runEngine(run: DeployRun, configFile: string | undefined): Promise<DeployRunResult> {
  const { runStack } = await import("../engine/run-stack.ts");
  const { project, listener, message, onlyApp, recreateVolumes, clearance } = run;
  const inputs = new InputsCollector();
  const builder = new PlanBuilder();
  const told = new Set<string>();
  const observe = (event: EngineEvent): void => {
    inputs.add(event);
    builder.add(event);
    for (const entry of describePlan(project.stackName, builder.resources, inputs).entries) {
      if (entry.operation === "same" || told.has(entry.urn)) continue;
      told.add(entry.urn);
      listener.onPlanned(entry);
    }
    listener.onEvent(event);
  };
  const { outputs, plan } = await runStack({
    workDir: project.folder,
    stackName: project.stackName,
    operation: run.operation,
    program: run.program,
    waitForLockMs: run.waitForLockMs,
    signal: run.signal,
    onEvent: observe,
    onProviderEvent: (urn, event) => {
      listener.onProviderEvent(urn, event);
    },
    onRepair: (text) => {
      listener.onRepair(text);
    },
    waitForHostMs: run.waitForHostMs,
    beforeAnother: run.beforeAnother,
    onQueued: (text) => {
      listener.onRepair(text);
    },
    ...(onlyApp !== undefined && { env: targeted(onlyApp) }),
    ...(recreateVolumes !== undefined && { recreateVolumes }),
    ...(clearance !== undefined && { clearance }),
    ...(configFile !== undefined && { configFile }),
    ...(message !== undefined && { message }),
  });
  const whole = describePlan(project.stackName, plan, inputs);
  // Of the other apps the engine says "unchanged" without having looked.
  const entries = whole.entries.filter((entry) => onlyApp === undefined || isOf(onlyApp, entry));
  return { plan: { ...whole, entries }, staged: stagedBy(entries, inputs), outputs };
}

function stagedBy(entries: readonly DeployPlanEntry[], inputs: InputsCollector): Record<string, unknown> {
  const bundles = entries.filter(({ part, operation }) => part === "bundle" && operation !== "delete");
  return Object.fromEntries(bundles.flatMap(({ app, urn }) => (app === undefined ? [] : [[app, inputs.of(urn).new]])));
}

/** The images of an app are no part of it on a host, and named `<app>/<service>`. */
function isOf(onlyApp: string, { app, name }: DeployPlanEntry): boolean {
  return app === onlyApp || (app === undefined && name.startsWith(`${onlyApp}/`));
}

/**
 * The engine takes each of its options from the environment too; this is `--target`. All resources of an app are named
 * for it; providers come along, because what is new may need one.
 */
export function targeted(app: string): Record<string, string> {
  return { PULUMI_OPTION_TARGET: `**::${app},**::${app}/*,**::pulumi:providers:ikoma::*` };
}
