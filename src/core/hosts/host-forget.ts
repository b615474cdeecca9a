import { nearestName } from "../config/explain-issues.ts";
import { isStep, stepOf } from "../engine/command-step.ts";
import { readState, removeFromState, type StateResource } from "../engine/stack-state.ts";
import { IkomaError } from "../errors.ts";
import { readHostFiles, removeHostEntry, type HostFile } from "./host-files.ts";

/** What of one stack is about a host. */
export interface ForgottenStack {
  readonly stack: string;
  /** Its file, absolute. */
  readonly path: string;
  /** Whether the file has an entry for the host. */
  readonly isConfigured: boolean;
  /** Apps of the stack that are configured on the host. */
  readonly apps: readonly string[];
  /** Resources on the host, by type and name, such as `release shop`. */
  readonly resources: readonly string[];
  /** URNs in the state that have no purpose without them: the host's steps and provider, components that hold nothing else. */
  readonly leftovers: readonly string[];
}

/** What forgetting needs besides the plan. */
export interface ForgetRun {
  /** Folder of Pulumi.yaml. */
  readonly folder: string;
  readonly host: string;
  readonly waitForLockMs: number;
  readonly signal: AbortSignal;
  readonly onRepair: (message: string) => void;
}

const providerType = "pulumi:providers:ikoma";

/**
 * What would be forgotten with a host, in the stacks of a folder. Reads files and states; no host is dialled.
 *
 * @param stack only this one
 * @throws CONFIG_MISSING where nothing knows the host
 */
export async function planForget(folder: string, host: string, stack: string | undefined): Promise<ForgottenStack[]> {
  const all = await readHostFiles(folder);
  const files = stack === undefined ? all : all.filter((file) => file.stack === stack);
  const plans = await Promise.all(files.map((file) => planStack(folder, host, file)));
  const found = plans.filter((each) => each.isConfigured || each.apps.length > 0 || each.leftovers.length > 0);
  if (found.length > 0) return found;
  const nearest = nearestName(
    host,
    files.flatMap((file) => Object.keys(file.hosts)),
  );
  throw new IkomaError("CONFIG_MISSING", `No stack knows a host "${host}", neither its file nor its state.`, {
    hint: nearest === undefined ? "There is nothing to forget." : `Did you mean ${nearest}?`,
  });
}

async function planStack(folder: string, host: string, file: HostFile): Promise<ForgottenStack> {
  const state = (await readState({ workDir: folder, stackName: file.stack })) ?? [];
  return {
    stack: file.stack,
    path: file.path,
    isConfigured: file.hosts[host] !== undefined || file.setup[host] !== undefined,
    apps: Object.entries(file.appHosts).flatMap(([app, on]) => (on === host ? [app] : [])),
    ...forgottenOf(state, host),
  };
}

/** The resources of a state that are on a host, and what is left over without them, the innermost first. */
export function forgottenOf(
  state: readonly StateResource[],
  host: string,
): Pick<ForgottenStack, "resources" | "leftovers"> {
  const providers = state.filter(({ type, inputs }) => type === providerType && inputs["host"] === host);
  const onHost = state.filter(({ provider }) => providers.some(({ urn }) => provider?.startsWith(`${urn}::`)));
  // Each depends on the one before it.
  const steps = state.filter((each) => isStepOf(host, each)).toReversed();
  const gone = new Set([...onHost, ...steps].map(({ urn }) => urn));
  const components: string[] = [];
  // Children come after their parent in a state.
  for (const { urn, custom, type } of state.toReversed()) {
    const children = state.filter(({ parent }) => parent === urn);
    if (custom || type === "pulumi:pulumi:Stack" || children.length === 0) continue;
    const isLeft = children.every((each) => gone.has(each.urn) || providers.includes(each));
    if (!isLeft) continue;
    gone.add(urn);
    components.push(urn);
  }
  const name = ({ urn, type }: StateResource): string =>
    `${(type.split(":").at(-1) ?? type).toLowerCase()} ${urn.split("::").slice(3).join("::")}`;
  const unowned = [...steps, ...providers].map(({ urn }) => urn);
  return { resources: onHost.map(name), leftovers: [...unowned, ...components] };
}

/** By the name of the host in front: they are no resources of its provider. */
function isStepOf(host: string, { urn }: StateResource): boolean {
  return isStep(urn) && stepOf(urn).host === host;
}

/** @throws HOST_IN_USE where apps are configured on the host */
export function refuseInUse(host: string, stacks: readonly ForgottenStack[]): void {
  const used = stacks.filter(({ apps }) => apps.length > 0);
  if (used.length === 0) return;
  const where = used.map(({ stack, apps }) => `${apps.join(", ")} (stack ${stack})`).join("; ");
  throw new IkomaError("HOST_IN_USE", `Apps are configured on ${host}: ${where}.`, {
    details: { apps: Object.fromEntries(used.map(({ stack, apps }) => [stack, apps])) },
  });
}

/**
 * Lets go of a host in one stack: its resources leave the state by a refresh that finds them gone (with a lock, an entry
 * in the history, and repaired dependencies), then its entry leaves the file. Nothing is dialled, no secret is touched.
 */
export async function forgetInStack(run: ForgetRun, plan: ForgottenStack): Promise<void> {
  const { folder, host, waitForLockMs, signal, onRepair } = run;
  const place = { workDir: folder, stackName: plan.stack };
  if (plan.resources.length > 0) {
    const { runStack } = await import("../engine/run-stack.ts");
    await runStack({
      ...place,
      operation: "refresh",
      program: () => Promise.resolve(() => Promise.resolve({})),
      forgetHost: host,
      clearPendingCreates: true,
      message: `ikoma host forget ${host}`,
      waitForLockMs,
      signal,
      onRepair,
    });
  }
  await removeFromState(place, plan.leftovers);
  if (plan.isConfigured) await removeHostEntry(plan.path, host);
}
