import { accessoriesSpec, releaseSpec } from "../../../core/release/release-spec.ts";
import type { AccessoriesSpec } from "../../../core/release/release-spec.ts";
import { IkomaError, toIkomaError } from "../../../core/errors.ts";
import { ownLabels } from "../../engine/networks.ts";
import { restartCounts, waitUntilHealthy } from "../../gate/health-gate.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { OperationInput, OperationResult } from "../../protocol/operations.ts";
import { composeKey } from "../../reading/composed-drift.ts";
import { needsAnotherContainer } from "../../reading/container-drift.ts";
import { readAccessories } from "../../reading/read-parts.ts";
import { reattachToCurrent } from "./accessory-networks.ts";
import { accessoriesAsComposed, accessoryContainers, isOfRelease } from "./accessory-project.ts";
import { accessoriesProject } from "../compose-project.ts";
import { admitAccessories } from "../signed/admission.ts";
import { restoreContainers } from "../upkeep/restore-containers.ts";
import { removeImpostors } from "../upkeep/impostors.ts";
import { refuseAnotherMajor } from "./database-major.ts";
import { ensureVolumes } from "./required-volumes.ts";

const defaultHealth = releaseSpec.shape.health.parse(undefined);
/** A database's first start initialises its files. */
const accessoryTimeoutSeconds = 120;

/** Brings the long-lived services to what is asked for; compose recreates only those whose definition changed. */
export async function applyAccessories(
  host: Host,
  input: OperationInput<"accessories.apply">,
  op: OperationContext,
): Promise<OperationResult<"accessories.apply">> {
  await admitAccessories(host, input);
  const { spec, recreateVolumes } = input;
  await refuseAnotherMajor(host, spec);
  await ensureVolumes(host, spec, recreateVolumes);
  const before = await readAccessories(host, spec.app, spec);
  const known = host.parts.get(spec.app, "accessories", accessoriesSpec);
  const isKnown = known !== undefined && host.vault.keyedDigest(known) === host.vault.keyedDigest(spec);
  if (isKnown && before.drift.length === 0) return { unchanged: true, services: before.services };

  // Until all is well nothing counts as accepted: a repeat after a failure has to do the work, not to find it done.
  host.parts.remove(spec.app, "accessories");
  const project = accessoriesProject(spec.app);
  await op.enter("network");
  const subnet = host.subnets.allocate(project, await host.networks.subnetsInUse());
  await host.networks.create(project, subnet, ownLabels(spec.app, "accessories"));

  await host.files.provide(project, spec.services);

  await op.enter("starting");
  const containers = await host.containers.list(ownLabels(spec.app, "accessories"));
  const rendered = accessoriesAsComposed(host, spec, subnet, containers);
  const names = Object.keys(rendered.services);
  op.step("start", names.join(", "));
  await removeDropped(host, spec.app, names);
  await removeImpostors(host, project, names);
  await restoreContainers(host, rendered, containers, isOfRelease(spec.app));
  const restarts = await restartCounts(host.containers, ownLabels(spec.app, "accessories"));
  try {
    await host.compose.up(rendered, names, op.signal);
    await host.compose.up(rendered, await alteredByHand(host, spec), op.signal, true);

    // Before the gate: the release that serves finds a recreated database again, if a slow one, as early as can be.
    await reattachToCurrent(host, spec.app);
    await op.enter("gating");
    await gate(host, spec, restarts, op);
  } catch (error) {
    throw halfDone(error);
  }
  host.parts.set(spec.app, "accessories", spec);
  await host.files.keepOnly(project, spec.services);
  op.step("healthy", names.join(", "));
  const after = await readAccessories(host, spec.app, undefined);
  return { unchanged: false, services: after.services };
}

/**
 * Compose services whose container is not what was asked for, though compose has just looked at it: compose goes by the
 * labels that it made, which somebody may have kept on a container of another image or environment.
 */
async function alteredByHand(host: Host, spec: AccessoriesSpec): Promise<string[]> {
  const containers = await host.containers.list(ownLabels(spec.app, "accessories"));
  const all = await accessoryContainers(host, spec, containers);
  return all.filter((each) => needsAnotherContainer(each.drift)).map((each) => each.key);
}

/** Stops and removes the containers and their network. Volumes stay: data is only ever removed by a purge that names it. */
export async function removeAccessories(
  host: Host,
  { app }: OperationInput<"accessories.remove">,
  op: OperationContext,
): Promise<Record<string, never>> {
  await op.enter("stopping");
  await removeDropped(host, app, []);
  const project = accessoriesProject(app);
  await Promise.all([host.networks.remove(project), host.files.remove(project)]);
  host.subnets.release(project);
  host.parts.remove(app, "accessories");
  return {};
}

async function removeDropped(host: Host, app: string, keep: readonly string[]): Promise<void> {
  const containers = await host.containers.list(ownLabels(app, "accessories"));
  const dropped = containers.filter((each) => !keep.includes(composeKey(each)));
  await Promise.all(dropped.map((each) => host.containers.stopAndRemove(each.Id)));
}

/** Some services may be new already and others old, and none is taken back: that is what the caller has to record. */
function halfDone(thrown: unknown): IkomaError {
  const { code, message, hint, details } = toIkomaError(thrown);
  return new IkomaError(code, message, { hint, details: { ...details, partial: true }, cause: thrown });
}

async function gate(
  host: Host,
  spec: AccessoriesSpec,
  restarts: ReadonlyMap<string, number>,
  op: OperationContext,
): Promise<void> {
  const containers = await host.containers.list(ownLabels(spec.app, "accessories"));
  const targets = containers.map((each) => {
    const service = composeKey(each);
    const asked = spec.services[service];
    const restartsBefore = restarts.get(each.Id) ?? 0;
    const settings = { healthcheck: asked?.["healthcheck"], environment: asked?.environment ?? {} };
    return { app: spec.app, service, containerId: each.Id, restartsBefore, ...settings };
  });
  try {
    await waitUntilHealthy(host.containers, targets, { ...defaultHealth, timeoutSeconds: accessoryTimeoutSeconds }, op);
  } catch (error) {
    if (!(error instanceof IkomaError)) throw error;
    throw new IkomaError("ACCESSORY_FAILED", error.message, { hint: error.hint, details: error.details, cause: error });
  }
}
