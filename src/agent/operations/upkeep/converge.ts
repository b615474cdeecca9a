import { setTimeout as sleep } from "node:timers/promises";
import { routePath } from "../../../core/release/release-spec.ts";
import { edgeApp, edgeView } from "../../edge-from-ledger.ts";
import { usualWeight } from "../../edge/edge.ts";
import type { EdgeRoute, EdgeView } from "../../edge/edge.ts";
import { labels } from "../../engine/containers.ts";
import { ownLabels } from "../../engine/networks.ts";
import type { Host } from "../../host.ts";
import { deploymentOfServer, noSubnet, place, releaseProject } from "../compose-project.ts";
import { removeImpostors } from "./impostors.ts";
import { removeHooks } from "../release/hooks.ts";
import { keepWithinBudget } from "./image-budget.ts";
import { removeUnusedImages } from "./unused-images.ts";

const drainPollMs = 50;
const defaultDrainSeconds = 30;

/**
 * Name under which a deployment is held in {@link Host.underway} and {@link Host.retiring}; without a number what all of
 * the app's begin with.
 */
export function underwayKey(app: string, number: number | ""): string {
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
  const found = await deploymentsOnHost(host, app);
  // Asked after the wait: one that came to serve meanwhile must not be taken for an old one.
  const current = host.deployments.current(app)?.number;
  // Without a current one, a release that the ledger does not know may be what serves: the ledger may have been lost.
  const isOurs = (number: number): boolean => current !== undefined || host.deployments.find(app, number) !== undefined;
  const others = found.filter(
    (number) => number !== current && !host.underway.has(underwayKey(app, number)) && isOurs(number),
  );
  await Promise.all(others.map((number) => retireDeployment(host, app, number, enter)));
  if (current !== undefined && !host.underway.has(underwayKey(app, current))) await removeHooks(host, app, current);
  if (others.length === 0 && current !== undefined) return;
  await removeUnusedImages(host, app);
  await keepWithinBudget(host);
}

/** Whether the edge serves what the ledger has as current. */
export async function isRouted(host: Host, app: string): Promise<boolean> {
  const served = await host.edge.served(app);
  const wanted = edgeApp(host, app);
  const serving = served.servers.filter((each) => each.state === "ready" || each.state === "down");
  const server = (each: { name: string; address: string; port: number }): string =>
    `${each.name} ${each.address} ${each.port}`;
  const route = (each: EdgeRoute): string => `${each.path} ${each.service} ${each.port}`;
  return (
    serving.every((each) => each.weight === usualWeight) &&
    sameTexts(serving.map(server), wanted.servers.map(server)) &&
    sameTexts(
      served.routes.map(route),
      wanted.routes.map((each) => route({ ...each, path: routePath(each.path) })),
    )
  );
}

function sameTexts(a: string[], b: string[]): boolean {
  return [...new Set(a)].toSorted().join("\n") === [...new Set(b)].toSorted().join("\n");
}

/** Drains and removes one deployment. One clean-up a deployment at a time, however many ask for it. */
export function retireDeployment(
  host: Host,
  app: string,
  number: number,
  enter?: (phase: string) => Promise<void>,
): Promise<void> {
  const key = underwayKey(app, number);
  const running = host.retiring.get(key);
  if (running !== undefined) return running;
  const started = retire(host, app, number, enter).finally(() => host.retiring.delete(key));
  host.retiring.set(key, started);
  return started;
}

async function retire(
  host: Host,
  app: string,
  number: number,
  enter?: (phase: string) => Promise<void>,
): Promise<void> {
  await enter?.("draining");
  await drain(host, app, number);
  await enter?.("stopping");
  const containers = await host.containers.list(ownLabels(app, "release", number));
  await Promise.all(containers.map((each) => host.containers.stopAndRemove(each.Id)));
  const project = releaseProject(app, number);
  const spec = host.deployments.input(app, number)?.spec;
  const keys = spec === undefined ? [] : place(spec.services, noSubnet).map((each) => each.key);
  await removeImpostors(host, project, keys);
  await Promise.all([host.networks.remove(project), host.files.remove(project)]);
  host.subnets.release(project);
}

/** Waits until the edge has no connection to the deployment, at most its own drain time, then takes its servers out. */
async function drain(host: Host, app: string, number: number): Promise<void> {
  const drainSeconds = host.deployments.input(app, number)?.spec.drainSeconds ?? defaultDrainSeconds;
  const deadline = performance.now() + drainSeconds * 1000;
  while (performance.now() < deadline && (await isBusy(host, app, number))) await sleep(drainPollMs);
  const { servers } = await host.edge.served(app);
  const names = servers.map((each) => each.name).filter((name) => deploymentOfServer(name) === number);
  await host.edge.removeServers(app, [...new Set(names)]);
}

async function isBusy(host: Host, app: string, number: number): Promise<boolean> {
  const keep = host.deployments.current(app)?.servers.map((each) => each.name) ?? [];
  const others = await host.edge.draining(app, keep);
  return others.some((each) => deploymentOfServer(each.name) === number && each.connections > 0);
}

/** Numbers of the deployments that containers, networks or servers of the edge are left of. */
async function deploymentsOnHost(host: Host, app: string): Promise<number[]> {
  const own = ownLabels(app, "release");
  const [containers, networks, served] = await Promise.all([
    host.containers.list(own),
    host.networks.list(own),
    host.edge.served(app),
  ]);
  // A network may be given out and not be made yet.
  const prefix = releaseProject(app, "");
  const owned = host.subnets
    .owners()
    .filter((each) => each.startsWith(prefix) && /^\d+$/.test(each.slice(prefix.length)));
  const labelled = [...containers.map((each) => each.Config.Labels), ...networks.map((each) => each.Labels)];
  const numbers = [
    ...labelled.map((each) => Number(each?.[labels.deployment])),
    ...owned.map((each) => Number(each.slice(prefix.length))),
    ...served.servers.map((each) => deploymentOfServer(each.name) ?? Number.NaN),
  ];
  return [...new Set(numbers)].filter((number) => Number.isInteger(number));
}
