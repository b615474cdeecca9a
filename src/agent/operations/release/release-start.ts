import type { ReleaseSpec } from "../../../core/release/release-spec.ts";
import { hostNameOf } from "../../edge-from-ledger.ts";
import { labels } from "../../engine/containers.ts";
import { ownLabels } from "../../engine/networks.ts";
import type { ComposeProject } from "../../engine/compose.ts";
import { startError } from "../../gate/gate-failure.ts";
import { restartCounts, waitUntilHealthy } from "../../gate/health-gate.ts";
import type { GateTarget } from "../../gate/health-gate.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { LedgerDeployment } from "../../ledger/deployments.ts";
import { attachAccessories } from "../accessories/accessory-networks.ts";
import { edgeServersOf, place, releaseProject, renderRelease } from "../compose-project.ts";
import type { Placement } from "../compose-project.ts";
import { restoreContainers } from "../upkeep/restore-containers.ts";
import { composeKey } from "../../reading/composed-drift.ts";

/** What may be different about a start. */
interface Start {
  /** Done when there is a network, before any service is started. */
  beforeStart?: () => Promise<void>;
  /** The web containers that are started. @default all */
  websOf?: (placements: readonly Placement[]) => readonly Placement[];
}

/** Network, containers, health: everything before the edge hears of the release. */
export async function bringUp(
  host: Host,
  spec: ReleaseSpec,
  deployment: LedgerDeployment,
  op: OperationContext,
  { beforeStart, websOf }: Start = {},
): Promise<Placement[]> {
  const project = releaseProject(spec.app, deployment.number);
  await op.enter("network");
  const subnet = host.subnets.allocate(project, await host.networks.subnetsInUse());
  const placements = place(spec.services, subnet);
  host.deployments.place(spec.app, deployment.number, subnet, edgeServersOf(spec, deployment.number, placements));
  await host.networks.create(project, subnet, {
    ...ownLabels(spec.app, "release", deployment.number),
    [labels.version]: spec.version,
    [labels.bundle]: spec.bundle,
  });
  await attachAccessories(host, spec.app, project, subnet);
  // Not beside it: what fails there is undone at once, and a file that was written after that would stay.
  await host.files.provide(project, spec.services);

  await op.enter("starting");
  await beforeStart?.();
  const webs = websOf?.(placements) ?? placements.filter((each) => spec.services[each.service]?.kind === "web");
  op.step("start", webs.map((each) => each.key).join(", "));
  const own = ownLabels(spec.app, "release", deployment.number);
  const before = await restartCounts(host.containers, own);
  const targets = (): Promise<GateTarget[]> => gateTargets(host, spec, deployment.number, webs, before);
  const composed = renderRelease(spec, deployment.number, placements, host.files);
  await restoreContainers(host, composed, await host.containers.list(own));
  await startAll(host, composed, webs, targets, op);

  await op.enter("gating");
  await waitUntilHealthy(host.containers, await targets(), spec.health, op);
  op.step("healthy", webs.map((each) => each.key).join(", "));
  return placements;
}

/** Further web containers of a release that rolls: started, and healthy beside those that run already. */
export async function startWebs(
  host: Host,
  spec: ReleaseSpec,
  number: number,
  { placements, webs }: { placements: readonly Placement[]; webs: readonly Placement[] },
  op: OperationContext,
): Promise<void> {
  const before = await restartCounts(host.containers, ownLabels(spec.app, "release", number));
  const targets = (): Promise<GateTarget[]> => gateTargets(host, spec, number, webs, before);
  await startAll(host, renderRelease(spec, number, placements, host.files), webs, targets, op);
  await waitUntilHealthy(host.containers, await targets(), spec.health, op);
}

/** The services without a part in the web: started once that is switched to, and healthy before it goes on. */
export async function startWorkers(
  host: Host,
  spec: ReleaseSpec,
  number: number,
  placements: readonly Placement[],
  op: OperationContext,
): Promise<void> {
  const workers = placements.filter((each) => spec.services[each.service]?.kind === "worker");
  if (workers.length === 0) return;
  const before = await restartCounts(host.containers, ownLabels(spec.app, "release", number));
  const targets = (): Promise<GateTarget[]> => gateTargets(host, spec, number, workers, before);
  await startAll(host, renderRelease(spec, number, placements, host.files), workers, targets, op);
  await waitUntilHealthy(host.containers, await targets(), spec.health, op);
  op.step("workers", workers.map((each) => each.key).join(", "));
}

/** Has compose start the containers; of one that the engine could not start the failure says why. */
async function startAll(
  host: Host,
  composed: ComposeProject,
  placements: readonly Placement[],
  targets: () => Promise<GateTarget[]>,
  op: OperationContext,
): Promise<void> {
  const keys = placements.map((each) => each.key);
  await host.compose.up(composed, keys, op.signal).catch(async (error: unknown) => {
    throw await startError(host.containers, await targets(), error, op);
  });
}

/** What to watch of these containers, and how. */
export async function gateTargets(
  host: Host,
  spec: ReleaseSpec,
  number: number,
  placements: readonly Placement[],
  restartsBefore: ReadonlyMap<string, number>,
): Promise<GateTarget[]> {
  const containers = await host.containers.list(ownLabels(spec.app, "release", number));
  return placements.map((placement) => {
    const container = containers.find((each) => composeKey(each) === placement.key);
    const port = spec.routes.find((route) => route.service === placement.service)?.port;
    return {
      app: spec.app,
      service: placement.service,
      environment: spec.services[placement.service]?.environment ?? {},
      containerId: container?.Id ?? `${spec.app}-${number}-${placement.key}-1`,
      healthcheck: spec.services[placement.service]?.["healthcheck"],
      restartsBefore: restartsBefore.get(container?.Id ?? "") ?? 0,
      ...(port === undefined ? {} : { http: { address: placement.address, port, host: hostNameOf(host, spec.app) } }),
    };
  });
}
