import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { IkomaError } from "../../core/errors.ts";
import type { ReleaseSpec } from "../../core/deployer/release-spec.ts";
import { edgeView, hostNameOf, siteOf } from "../edge-from-ledger.ts";
import { checkEdgeView } from "../edge/edge-view.ts";
import type { EdgeApp, EdgeServer } from "../edge/edge.ts";
import { ownLabels } from "../engine/networks.ts";
import { restartCounts, waitUntilHealthy } from "../gate/health-gate.ts";
import type { GateTarget } from "../gate/health-gate.ts";
import { runSmokeChecks } from "../gate/smoke.ts";
import type { Host, OperationContext } from "../host.ts";
import type { LedgerDeployment, ReleaseInput } from "../ledger/deployments.ts";
import type { OperationResult } from "../protocol.ts";
import { readRelease, servicesOf } from "../reading/read-release.ts";
import { attachAccessories } from "./accessory-networks.ts";
import { recreateAlteredWorkers } from "./altered-workers.ts";
import { edgeServersOf, place, releaseProject, renderRelease } from "./compose-project.ts";
import type { Placement } from "./compose-project.ts";
import { restoreContainers } from "./restore-containers.ts";
import { restoreRouting, retireDeployment, underwayKey } from "./converge.ts";
import { ensureVolumes } from "./required-volumes.ts";

type Result = OperationResult<"release.apply">;

/** How long the answer to a failed deploy waits for the containers of it to be gone, in milliseconds. */
const undoPatienceMs = 5000;

/**
 * Brings a release to serve: beside the old one, gated, checked where nobody else can see it, then
 * switched to without a reload. Whatever fails before the ledger says `current` leaves the old release
 * serving and removes the new one. (Start, probe, swap, drain: the order of kamal-proxy.)
 */
export async function applyRelease(host: Host, input: ReleaseInput, op: OperationContext): Promise<Result> {
  const digest = host.vault.keyedDigest(input.spec);
  await ensureVolumes(host, input.spec, input.recreateVolumes);
  const current = host.deployments.current(input.spec.app);
  if (current?.digest === digest) {
    const standing = await keepOrHeal(host, input, current, op);
    if (standing !== undefined) return standing;
  }
  const deployment = host.deployments.begin(input, digest, op.by);
  host.journal.setNumber(op.key, deployment.number);
  const underway = underwayKey(deployment.app, deployment.number);
  host.underway.add(underway);
  try {
    const placements = await bringUp(host, input.spec, deployment, op);
    await cutOver(host, input.spec, deployment, placements, op);
  } catch (error) {
    if (host.deployments.current(deployment.app)?.number !== deployment.number) {
      await undo(host, deployment, error, op);
      throw error;
    }
    await finish(host, deployment, error, op);
  } finally {
    host.underway.delete(underway);
    host.prepared.delete(deployment.app);
  }
  return { number: deployment.number, digest, unchanged: false, services: await servicesOf(host, deployment.app) };
}

/** Serving and as it should be: nothing to do. Merely fallen over: put up again under its own number. Else undefined. */
async function keepOrHeal(
  host: Host,
  input: ReleaseInput,
  current: LedgerDeployment,
  op: OperationContext,
): Promise<Result | undefined> {
  const { app } = input.spec;
  const asItStands = (services: Result["services"], unchanged: boolean): Result => {
    return { number: current.number, digest: current.digest, unchanged, services };
  };
  const before = await readRelease(host, app, input.spec);
  // The release is the same, but what goes with it (source, number to keep) may not be.
  host.deployments.renew(app, current.number, input);
  if (before.drift.length === 0) return asItStands(before.services, true);
  op.step("repair", before.drift.map((each) => each.message).join("; "));
  try {
    const placements = await bringUp(host, input.spec, current, op);
    await recreateAlteredWorkers(host, input.spec, current.number, placements);
    await startWorkers(host, input.spec, current.number, placements, op);
    await restoreRouting(host, app);
  } catch (error) {
    op.signal.throwIfAborted();
    op.step(
      "repair",
      `the containers could not be put up again (${error instanceof Error ? error.message : String(error)}); the release is deployed anew`,
    );
    return undefined;
  }
  const after = await readRelease(host, app, input.spec);
  return after.drift.length === 0 ? asItStands(after.services, false) : undefined;
}

/** Network, containers, health: everything before the edge hears of the release. */
async function bringUp(
  host: Host,
  spec: ReleaseSpec,
  deployment: LedgerDeployment,
  op: OperationContext,
): Promise<Placement[]> {
  const project = releaseProject(spec.app, deployment.number);
  await op.enter("network");
  const subnet = host.subnets.allocate(project, await host.networks.subnetsInUse());
  const placements = place(spec.services, subnet);
  host.deployments.place(spec.app, deployment.number, subnet, edgeServersOf(spec, deployment.number, placements));
  await host.networks.create(project, subnet, ownLabels(spec.app, "release", deployment.number));
  await Promise.all([attachAccessories(host, spec.app, project, subnet), host.files.provide(project, spec.services)]);

  await op.enter("starting");
  const webs = placements.filter((each) => spec.services[each.service]?.kind === "web");
  op.step("start", webs.map((each) => each.key).join(", "));
  const own = ownLabels(spec.app, "release", deployment.number);
  const before = await restartCounts(host.containers, own);
  const rendered = renderRelease(spec, deployment.number, placements, host.files);
  await restoreContainers(host, rendered, await host.containers.list(own));
  await host.compose.up(
    rendered,
    webs.map((each) => each.key),
    op.signal,
  );

  await op.enter("gating");
  await waitUntilHealthy(
    host.containers,
    await gateTargets(host, spec, deployment.number, webs, before),
    spec.health,
    op,
  );
  op.step("healthy", webs.map((each) => each.key).join(", "));
  return placements;
}

/** From the first request through the edge to the entry in the ledger that makes the release the current one. */
async function cutOver(
  host: Host,
  spec: ReleaseSpec,
  deployment: LedgerDeployment,
  placements: readonly Placement[],
  op: OperationContext,
): Promise<void> {
  const servers = host.deployments.require(spec.app, deployment.number).servers;
  await op.enter("smoking");
  const next: EdgeApp = { ...siteOf(host, spec.app), routes: spec.routes, servers };
  await host.edge.ensure(() => {
    const view = edgeView(host, spec);
    // Not before it is known to be valid: from here on every other app's view has these backends too.
    checkEdgeView(view);
    host.prepared.set(spec.app, spec);
    return view;
  });
  await smokeAsCandidate(host, spec, next, op);

  await op.enter("switching");
  op.signal.throwIfAborted();
  await host.edge.switchTo(next);
  await verifyServed(host, spec.app, servers);
  const atEdge = { address: "127.0.0.1", port: host.settings.httpPort };
  await runSmokeChecks(spec.smoke, atEdge, hostNameOf(host, spec.app), "on the public route", op);
  await startWorkers(host, spec, deployment.number, placements, op);

  // Said again, because a change for another app may have come in between; recorded before any other change can.
  await host.edge.switchTo(next, () => {
    host.deployments.makeCurrent(spec.app, deployment.number);
    return edgeView(host);
  });
  await op.enter("switched");
  op.step("switched", `#${deployment.number} (${spec.version}) serves`);
}

async function smokeAsCandidate(
  host: Host,
  spec: ReleaseSpec,
  candidate: EdgeApp,
  op: OperationContext,
): Promise<void> {
  if (spec.smoke.length === 0 || candidate.servers.length === 0) return;
  await host.edge.addCandidates(candidate);
  try {
    const socketPath = join(host.paths.edge, "candidate.sock");
    await runSmokeChecks(spec.smoke, { socketPath }, hostNameOf(host, spec.app), "before the switch", op);
  } finally {
    await host.edge.removeCandidates(spec.app);
  }
  op.step("smoke", `${spec.smoke.length} checks passed before the switch`);
}

async function verifyServed(host: Host, app: string, servers: readonly EdgeServer[]): Promise<void> {
  const served = await host.edge.served(app);
  const missing = servers.filter(
    (wanted) =>
      !served.servers.some(
        (each) => each.name === wanted.name && each.address === wanted.address && each.state === "ready",
      ),
  );
  if (missing.length === 0) return;
  throw new IkomaError(
    "EDGE_FAILED",
    `The edge does not serve ${missing.map((each) => each.name).join(", ")} after the switch.`,
  );
}

async function startWorkers(
  host: Host,
  spec: ReleaseSpec,
  number: number,
  placements: readonly Placement[],
  op: OperationContext,
): Promise<void> {
  const workers = placements.filter((each) => spec.services[each.service]?.kind === "worker");
  if (workers.length === 0) return;
  const before = await restartCounts(host.containers, ownLabels(spec.app, "release", number));
  await host.compose.up(
    renderRelease(spec, number, placements, host.files),
    workers.map((each) => each.key),
  );
  await waitUntilHealthy(host.containers, await gateTargets(host, spec, number, workers, before), spec.health, op);
  op.step("workers", workers.map((each) => each.key).join(", "));
}

async function gateTargets(
  host: Host,
  spec: ReleaseSpec,
  number: number,
  placements: readonly Placement[],
  restartsBefore: ReadonlyMap<string, number>,
): Promise<GateTarget[]> {
  const containers = await host.containers.list(ownLabels(spec.app, "release", number));
  return placements.map((placement) => {
    const container = containers.find((each) => each.Config.Labels?.["com.docker.compose.service"] === placement.key);
    const port = spec.routes.find((route) => route.service === placement.service)?.port;
    return {
      service: placement.service,
      containerId: container?.Id ?? `${spec.app}-${number}-${placement.key}-1`,
      healthcheck: spec.services[placement.service]?.["healthcheck"],
      restartsBefore: restartsBefore.get(container?.Id ?? "") ?? 0,
      ...(port === undefined ? {} : { http: { address: placement.address, port, host: hostNameOf(host, spec.app) } }),
    };
  });
}

/** The ledger says that it serves, so it is not undone: what failed after that is set right from the ledger. */
async function finish(host: Host, deployment: LedgerDeployment, error: unknown, op: OperationContext): Promise<void> {
  const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
  op.step("repair", `#${deployment.number} serves; the edge is told again, because: ${reasonOf(error)}`);
  try {
    await restoreRouting(host, deployment.app);
  } catch (failure) {
    op.step("repair", `not finished yet: ${reasonOf(failure)}; the sweep tries again`);
  }
}

/** Back to what the ledger has: the old release serves (it never stopped), and nothing of the new one is left. */
async function undo(host: Host, deployment: LedgerDeployment, error: unknown, op: OperationContext): Promise<void> {
  host.deployments.fail(
    deployment.app,
    deployment.number,
    error instanceof Error ? op.redact(error.message) : "unknown reason",
  );
  host.underway.delete(underwayKey(deployment.app, deployment.number));
  const old = host.deployments.current(deployment.app);
  op.step("undo", old === undefined ? "nothing served before" : `#${old.number} (${old.version}) serves on`);
  try {
    await restoreRouting(host, deployment.app);
    // Only this one, and not longer than a caller cares to wait: what drains goes on after the answer.
    const retired = retireDeployment(host, deployment.app, deployment.number).then(() => true);
    const isGone = await Promise.race([retired, sleep(undoPatienceMs, false, { ref: false })]);
    if (!isGone) op.step("undo", `#${deployment.number} still drains or stops`);
  } catch (failure) {
    // Must not hide why the release failed; the sweep tries the rest again.
    op.step("undo", `not finished yet: ${failure instanceof Error ? failure.message : String(failure)}`);
  }
}
