import { setTimeout as sleep } from "node:timers/promises";
import { accessoriesSpec } from "../../core/deployer/release-spec.ts";
import { edgeApp, edgeView } from "../edge-view.ts";
import type { EdgeView } from "../edge/edge.ts";
import { labels } from "../engine/containers.ts";
import { ownLabels } from "../engine/networks.ts";
import type { Host } from "../host.ts";
import { operations } from "../protocol.ts";
import { deploymentOfServer, releaseProject } from "./compose-project.ts";

const stageInput = operations["bundle.stage"].input;

const drainPollMs = 50;
const defaultDrainSeconds = 30;

/** Name under which a deployment is held in {@link Host.underway} and {@link Host.retiring}. */
export function underwayKey(app: string, number: number): string {
  return `${app}/${number}`;
}

/** Makes the edge serve what the ledger has as current, and nothing else of this app. */
export async function restoreRouting(host: Host, app: string): Promise<void> {
  const view = (): EdgeView => edgeView(host);
  await host.edge.ensure(view);
  await host.edge.removeCandidates(app);
  await host.edge.switchTo(edgeApp(host, app), view);
}

/**
 * Drains and removes every release of the app that is neither the current one nor on its way up. The
 * end of a good deploy, the undoing of a failed one and the recovery after a crash are all this: what
 * is on the host is made to match the ledger. `enter` is told the phases of it.
 */
export async function retireOthers(host: Host, app: string, enter?: (phase: string) => Promise<void>): Promise<void> {
  const current = host.deployments.current(app)?.number;
  const others = (await deploymentsOnHost(host, app)).filter(
    (number) => number !== current && !host.underway.has(underwayKey(app, number)),
  );
  await Promise.all(others.map((number) => retireOnce(host, app, number, enter)));
  if (others.length > 0) await removeUnusedImages(host, app);
}

/** One clean-up a deployment at a time, however many ask for it. */
function retireOnce(host: Host, app: string, number: number, enter?: (phase: string) => Promise<void>): Promise<void> {
  const key = underwayKey(app, number);
  const running = host.retiring.get(key);
  if (running !== undefined) return running;
  const started = retire(host, app, number, enter).finally(() => host.retiring.delete(key));
  host.retiring.set(key, started);
  return started;
}

async function retire(host: Host, app: string, number: number, enter?: (phase: string) => Promise<void>): Promise<void> {
  await enter?.("draining");
  await drain(host, app, number);
  await enter?.("stopping");
  const containers = await host.containers.list(ownLabels(app, "release", number));
  await Promise.all(containers.map((each) => host.containers.stopAndRemove(each.Id)));
  const project = releaseProject(app, number);
  await host.networks.remove(project);
  host.subnets.release(project);
}

/** Waits until the edge has no connection to the deployment, at most its own drain time, then takes its servers out. */
async function drain(host: Host, app: string, number: number): Promise<void> {
  const drainSeconds = host.deployments.input(app, number)?.spec.drainSeconds ?? defaultDrainSeconds;
  const deadline = Date.now() + drainSeconds * 1000;
  while (Date.now() < deadline && (await isBusy(host, app, number))) await sleep(drainPollMs);
  const { servers } = await host.edge.served(app);
  const names = servers.map((each) => each.name).filter((name) => deploymentOfServer(name) === number);
  await host.edge.removeServers(app, [...new Set(names)]);
}

async function isBusy(host: Host, app: string, number: number): Promise<boolean> {
  const keep = host.deployments.current(app)?.servers.map((each) => each.name) ?? [];
  const busy = await host.edge.draining(app, keep);
  return busy.some((each) => deploymentOfServer(each.name) === number);
}

/** Numbers of the deployments that containers, networks or servers of the edge are left of. */
async function deploymentsOnHost(host: Host, app: string): Promise<number[]> {
  const own = ownLabels(app, "release");
  const [containers, networks, served] = await Promise.all([
    host.containers.list(own),
    host.networks.list(own),
    host.edge.served(app),
  ]);
  const labelled = [...containers.map((each) => each.Config.Labels), ...networks.map((each) => each.Labels)];
  const numbers = [
    ...labelled.map((each) => Number(each?.[labels.deployment])),
    ...served.servers.map((each) => deploymentOfServer(each.name) ?? Number.NaN),
  ];
  return [...new Set(numbers)].filter((number) => Number.isInteger(number));
}

/** Images of deployments that can no longer be rolled back to, unless something else of the app needs them. */
async function removeUnusedImages(host: Host, app: string): Promise<void> {
  const current = host.deployments.current(app);
  const keep = current === undefined ? 0 : (host.deployments.input(app, current.number)?.keep ?? 0);
  host.deployments.prune(app, keep);
  const needed = new Set<string>();
  for (const each of host.deployments.history(app, 500)) {
    if (each.status === "failed" || each.status === "pruned") continue;
    const services = host.deployments.input(app, each.number)?.spec.services ?? {};
    for (const service of Object.values(services)) needed.add(service.image);
  }
  for (const service of Object.values(host.parts.get(app, "accessories", accessoriesSpec)?.services ?? {})) needed.add(service.image);
  // Staged for a deploy that may be about to begin.
  for (const reference of host.parts.get(app, "bundle", stageInput)?.images ?? []) needed.add(reference);
  for (const reference of host.imageUse.of(app)) {
    if (needed.has(reference)) continue;
    if (host.imageUse.drop(app, reference)) await host.images.remove(reference);
  }
}
