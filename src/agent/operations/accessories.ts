import { accessoriesSpec, releaseSpec } from "../../core/deployer/release-spec.ts";
import type { AccessoriesSpec } from "../../core/deployer/release-spec.ts";
import { IkomaError, toIkomaError } from "../../core/errors.ts";
import { labels } from "../engine/containers.ts";
import { ownLabels } from "../engine/networks.ts";
import { volumeName } from "../engine/volumes.ts";
import { restartCounts, waitUntilHealthy } from "../gate/health-gate.ts";
import type { Host, OperationContext } from "../host.ts";
import type { OperationInput, OperationResult } from "../protocol.ts";
import { containerDrift } from "../reading/container-drift.ts";
import { readAccessories } from "../reading/read-parts.ts";
import { addressOn, reattachToCurrent } from "./accessory-networks.ts";
import { accessoriesProject, place, renderAccessories } from "./compose-project.ts";

const defaultHealth = releaseSpec.shape.health.parse(undefined);
/** A database's first start initialises its files. */
const accessoryTimeoutSeconds = 120;

/** Brings the long-lived services to what is asked for; compose recreates only those whose definition changed. */
export async function applyAccessories(
  host: Host,
  { spec }: OperationInput<"accessories.apply">,
  op: OperationContext,
): Promise<OperationResult<"accessories.apply">> {
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
  for (const [name, volume] of Object.entries(spec.volumes))
    await host.volumes.ensure(volumeName(spec.app, name, volume), spec.app, volume);

  await host.files.provide(project, spec.services);

  await op.enter("starting");
  const placements = place(spec.services, subnet, await addressesHeld(host, spec, project));
  const names = placements.map((each) => each.key);
  op.step("start", names.join(", "));
  await removeDropped(host, spec.app, names);
  const restarts = await restartCounts(host.containers, ownLabels(spec.app, "accessories"));
  try {
    const rendered = renderAccessories(spec, placements, host.files);
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
  const keys = containers.map(async (each) => {
    const wanted = spec.services[each.Config.Labels?.[labels.service] ?? ""];
    if (wanted === undefined) return [];
    const drift = [
      ...containerDrift("", "", wanted, each, await host.images.inspect(wanted.image)),
      ...(await host.files.drift("", accessoriesProject(spec.app), wanted, each)),
    ];
    return drift.every(({ path }) => path === ".state")
      ? []
      : [each.Config.Labels?.["com.docker.compose.service"] ?? ""];
  });
  return (await Promise.all(keys)).flat();
}

/** Addresses that the accessories have already; a database is not to be restarted because a cache came before it. */
async function addressesHeld(host: Host, spec: AccessoriesSpec, network: string): Promise<Map<string, string>> {
  const containers = await host.containers.list(ownLabels(spec.app, "accessories"));
  return new Map(
    containers.flatMap((each): [string, string][] => {
      const address = addressOn(network, each);
      const service = each.Config.Labels?.[labels.service] ?? "";
      const key = each.Config.Labels?.["com.docker.compose.service"];
      const stays = address !== undefined && address !== "" && Object.hasOwn(spec.services, service);
      return key !== undefined && stays ? [[key, address]] : [];
    }),
  );
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
  const dropped = containers.filter((each) => !keep.includes(each.Config.Labels?.["com.docker.compose.service"] ?? ""));
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
    const service = each.Config.Labels?.["com.docker.compose.service"] ?? "";
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
