import { relative, resolve } from "node:path";
import type { EnvironmentNotes } from "../../../../stacks/environment.ts";
import { isOffline } from "../../../core/config/offline.ts";
import { findDeployProject, type DeployProject } from "../../../core/project/deploy-project.ts";
import type { DeployListener, DeployRunResult } from "../../../core/deployer/deploy-run.ts";
import {
  chooseApp,
  readStackSettings,
  requireBundles,
  type AppEdit,
  type StackSettings,
} from "../../../core/project/deploy-stack-file.ts";
import type { Clearance } from "../../../core/policies/change-guard.ts";
import type { GlobalArguments } from "../../global-options.ts";
import { listenForInterrupt } from "../../interrupt.ts";
import { loadSdkLean } from "../../lean-sdk.ts";
import { colorsFor } from "../../output/colors.ts";
import { renderEntry } from "../../output/plan-view.ts";
import { createProgress, type Progress } from "../../output/progress.ts";
import { RunView } from "../../output/run-view.ts";
import { environmentProgram } from "./environment-program.ts";

/** What a deploy command works with, from its first line to its last. */
export interface DeploySession {
  readonly project: DeployProject;
  readonly settings: StackSettings;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly waitForLockMs: number;
  /** For a host that is away, where it is reached through the API. */
  readonly waitForHostMs: number;
}

/** One run of the engine, as a command asks for it. */
export interface ShownRun {
  readonly operation: "preview" | "up";
  readonly edit: AppEdit | undefined;
  /** Change only this app of the stack. */
  readonly onlyApp?: string | undefined;
  readonly notes?: EnvironmentNotes;
  /** Volumes that may be made anew, empty. */
  readonly recreateVolumes?: readonly string[];
  /** What the policy is told of it. */
  readonly clearance?: Clearance;
  readonly message?: string;
  /** Throws where it is not to be tried again, after another run was waited for. */
  readonly beforeAnother?: (() => Promise<void>) | undefined;
  /** Tell each change when it begins: where no preview was shown before. */
  readonly showPlan?: boolean;
}

/** Opens project, progress and Ctrl-C for a command, and closes them whatever happens. */
export async function inDeploySession(
  argv: GlobalArguments & { readonly "wait-for-lock"?: number; readonly "wait-for-host"?: number },
  work: (session: DeploySession) => Promise<void>,
): Promise<void> {
  const project = await findDeployProject(argv.cwd, argv.stack);
  const settings = await readStackSettings(project.stackFile);
  const progress = createProgress(argv);
  using interrupt = listenForInterrupt({
    onCancel: () => {
      progress.message(
        "Cancelling. What a host has begun it takes back. Press Ctrl-C again to leave at once.",
        "warning",
      );
    },
  });
  // Paths in the settings start from the project's folder, here as in a plain `pulumi up`.
  process.chdir(project.folder);
  try {
    const waitForLockMs = (argv["wait-for-lock"] ?? 0) * 1000;
    const waitForHostMs = (argv["wait-for-host"] ?? 0) * 1000;
    await work({ project, settings, progress, signal: interrupt.signal, waitForLockMs, waitForHostMs });
  } finally {
    progress.close();
  }
}

/** Runs the engine and shows what it does; connects to the hosts while it starts. */
export async function runShown(session: DeploySession, run: ShownRun, argv: GlobalArguments): Promise<DeployRunResult> {
  const { project, progress } = session;
  await connectEarly(session);
  void readSignaturesEarly(session, run.edit);
  loadSdkLean();
  const root = run.operation;
  const view = new RunView(progress, root, { isPreview: run.operation === "preview" });
  const colors = colorsFor(process.stderr, argv);
  progress.begin({ id: root, title: `${run.operation === "up" ? "deploy" : "preview"} ${project.stackName}` });
  try {
    const result = await runIn(session, run, {
      onEvent: (event) => {
        view.engine(event);
      },
      onProviderEvent: (urn, event) => {
        view.host(urn, event);
      },
      onRepair: (text) => {
        view.repair(text);
      },
      onPlanned: (entry) => {
        if (run.showPlan === true) progress.message(renderEntry(entry, colors).join("\n"));
      },
    });
    if (run.operation === "preview") await checkWithHosts(session, result, run.notes?.rollbackTo !== undefined);
    progress.end(root, "done");
    return result;
  } catch (error) {
    progress.end(root, "failed");
    throw error;
  }
}

/** What would be done now, without a word of how that was found out. */
export async function planUnseen(
  session: DeploySession,
  run: Pick<ShownRun, "edit" | "onlyApp" | "notes" | "clearance">,
): Promise<DeployRunResult["plan"]> {
  const nothing = (): void => undefined;
  const silent = { onEvent: nothing, onProviderEvent: nothing, onRepair: nothing, onPlanned: nothing };
  return (await runIn(session, { operation: "preview", ...run }, silent)).plan;
}

async function runIn(session: DeploySession, run: ShownRun, listener: DeployListener): Promise<DeployRunResult> {
  const { runDeploy } = await import("../../../core/deployer/deploy-run.ts");
  const { project, waitForLockMs, waitForHostMs, signal } = session;
  const onlyApp = run.onlyApp !== undefined && hasOthers(session, run.onlyApp) ? run.onlyApp : undefined;
  return runDeploy({
    project,
    operation: run.operation,
    program: environmentProgram(project.stackName, { ...run.notes, ...(onlyApp !== undefined && { onlyApp }) }),
    edit: run.edit,
    waitForLockMs,
    waitForHostMs,
    beforeAnother: run.beforeAnother,
    signal,
    listener,
    ...(run.recreateVolumes !== undefined && { recreateVolumes: run.recreateVolumes }),
    ...(run.clearance !== undefined && { clearance: run.clearance }),
    ...(run.message !== undefined && { message: run.message }),
    ...(onlyApp !== undefined && { onlyApp }),
  });
}

/** Every host that can be reached says already whether it would take what it is to be given. */
async function checkWithHosts(
  { settings }: DeploySession,
  result: DeployRunResult,
  isRollback: boolean,
): Promise<void> {
  if (settings.offline === true || isOffline(process.env)) return;
  const [{ checkSignatures }, { hostOf }, { withAgent }] = await Promise.all([
    import("../../../core/deployer/check-signatures.ts"),
    import("../../../core/project/deploy-stack-file.ts"),
    import("../../host-agent.ts"),
  ]);
  await checkSignatures(result, isRollback, async (app, use) => {
    if (settings.apps[app] !== undefined) await withAgent(hostOf(settings, app), use);
  });
}

/** In a stack with one app nothing has to be left out, and a whole run also clears away what is no longer configured. */
function hasOthers({ settings, project }: DeploySession, app: string): boolean {
  return Object.keys(settings.apps).some((other) => other !== chooseApp(settings, app, project.stackName));
}

/** Logging in to a host takes longer than anything else in here; so it begins before the engine is even loaded. */
export async function connectEarly({ settings }: Pick<DeploySession, "settings">, onlyApp?: string): Promise<void> {
  const { prewarm } = await import("../../../core/transport/host-agent.ts");
  const apps = Object.entries(settings.apps).filter(([name]) => onlyApp === undefined || name === onlyApp);
  const used = new Set(apps.map(([, app]) => app.host));
  for (const name of used) {
    const host = settings.hosts[name];
    if (host !== undefined) await prewarm(host);
  }
}

/** So does asking a registry far away, for what the program will ask for; nothing waits for it. */
async function readSignaturesEarly({ settings }: DeploySession, edit: AppEdit | undefined): Promise<void> {
  const { prefetchSignatures } = await import("../../../core/signing/signature-store.ts");
  const named = Object.entries(settings.apps).flatMap(([name, app]) => {
    const { bundle, accessoriesBundle } = name === edit?.app ? { ...app, ...edit.set } : app;
    return [bundle, accessoriesBundle];
  });
  for (const reference of new Set(named)) if (typeof reference === "string") prefetchSignatures(reference);
}

/**
 * The change of settings that deploys another bundle, pinned to its digest. It takes the accessories along, which a
 * rollback may have left on an older bundle, and the secrets that are set, which it may have left on older values.
 *
 * @returns undefined without `--bundle`: the stack's own pin stays
 * @throws CONFIG_MISSING where no bundle is named at all; what reading it throws: BUNDLE_NOT_FOUND, REGISTRY_UNREACHABLE…
 */
export async function bundleEdit(
  { project, settings }: DeploySession,
  { bundle, app }: { readonly bundle: string | undefined; readonly app: string | undefined },
  startedIn: string,
): Promise<AppEdit | undefined> {
  if (bundle === undefined) {
    requireBundles(settings, app, project.stackName);
    return undefined;
  }
  const chosen = chooseApp(settings, app, project.stackName);
  const [{ readBundle }, { parseBundleReference }] = await Promise.all([
    import("../../../core/bundle/bundle-store.ts"),
    import("../../../core/bundle/bundle-reference.ts"),
  ]);
  const parsed = parseBundleReference(bundle);
  // The shell's relative path, as it reads from the folder of the settings.
  const reference =
    parsed.kind === "file" ? bundle.replace(parsed.path, fromFolder(project.folder, startedIn, parsed.path)) : bundle;
  const loaded = await readBundle(reference);
  return { app: chosen, set: { bundle: loaded.reference }, remove: ["accessoriesBundle", "secretsOf"] };
}

function fromFolder(folder: string, startedIn: string, path: string): string {
  if (path.startsWith("~")) return path;
  const inFolder = relative(folder, resolve(startedIn, path));
  return inFolder.startsWith("..") ? resolve(startedIn, path) : `./${inFolder}`;
}
