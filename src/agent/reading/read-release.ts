import { routePath } from "../../core/release/release-spec.ts";
import type { ReleaseSpec, Route } from "../../core/release/release-spec.ts";
import { usualWeight } from "../edge/edge.ts";
import type { EdgeServer, EdgeServerState } from "../edge/edge.ts";
import { labels } from "../engine/containers.ts";
import type { Container } from "../engine/containers.ts";
import { ownLabels } from "../engine/networks.ts";
import type { Host } from "../host.ts";
import {
  deploymentOfServer,
  edgeServersOf,
  noSubnet,
  place,
  releaseProject,
  renderRelease,
} from "../operations/compose-project.ts";
import type { Placement } from "../operations/compose-project.ts";
import { underwayKey } from "../operations/upkeep/converge.ts";
import { isStoodDown } from "../operations/upkeep/stood-down.ts";
import type { PartView } from "../protocol/methods.ts";
import type { Drift, ServiceStatus } from "../protocol/views.ts";
import { composedContainers, inItsPlace } from "./composed-drift.ts";
import type { ComposedContainer } from "./composed-drift.ts";
import { volumeDrift } from "./volume-drift.ts";

type ReleaseView = Omit<PartView, "generation">;

/**
 * What really runs and serves of an app's release: from the containers and HAProxy, never from the
 * ledger. With `expected`, also how that differs.
 */
export async function readRelease(host: Host, app: string, expected: ReleaseSpec | undefined): Promise<ReleaseView> {
  const [found, served] = await Promise.all([host.containers.list(ownLabels(app, "release")), host.edge.served(app)]);
  const all = found.filter((each) => each.Config.Labels?.[labels.hook] === undefined);
  const onEdge = served.servers.filter((each) => each.state === "ready" || each.state === "down");
  const ready = withoutComing(host, app, onEdge);
  const stoodDown = host.standingDown.has(app) ? all.filter(isStoodDown) : [];
  const number = servedNumber(ready) ?? newestOf(stoodDown) ?? newestOf(all.filter((each) => each.State.Running));
  if (number === undefined) return { exists: false, drift: [], services: {} };
  const containers = all.filter((each) => each.Config.Labels?.[labels.deployment] === String(number));
  const view = { exists: true, number, services: statuses(containers, ready) };
  const digest = host.deployments.find(app, number)?.digest;
  const identity = digest === undefined ? {} : { digest };
  if (expected === undefined) return { ...view, ...identity, drift: [] };
  const subnet = (await host.networks.subnetOf(releaseProject(app, number))) ?? noSubnet;
  const placements = place(expected.services, subnet);
  const drift = [
    ...(await servicesDrift(host, expected, number, placements, containers)),
    ...(await volumeDrift(host, app, expected.volumes)),
    ...routesDrift(expected.routes, served.routes),
    ...(isMakingWay(host, app) ? [] : serversDrift(expected, number, placements, ready)),
    // While it shares its requests with one that is on its way, other weights are as they should be.
    ...(ready.length === onEdge.length ? weightDrift(ready) : []),
  ];
  return { ...view, ...identity, drift };
}

/** The services alone, for an operation's answer; none where they cannot be read, which undoes no operation. */
export async function servicesOf(host: Host, app: string): Promise<ReleaseView["services"]> {
  try {
    return (await readRelease(host, app, undefined)).services;
  } catch (error) {
    host.log.warn({ app, reason: String(error) }, "the services could not be read");
    return {};
  }
}

function servedNumber(servers: readonly EdgeServerState[]): number | undefined {
  return servers.map((each) => deploymentOfServer(each.name)).find((each) => each !== undefined);
}

/** Whether the release makes way for one that is on its way: what of it stopped, or left the edge, is as it should be. */
function isMakingWay(host: Host, app: string): boolean {
  return host.standingDown.has(app) && [...host.underway].some((key) => key.startsWith(underwayKey(app, "")));
}

/** Without a release that is on its way, as long as the one before serves too. */
function withoutComing(host: Host, app: string, ready: readonly EdgeServerState[]): readonly EdgeServerState[] {
  const current = host.deployments.current(app)?.number;
  const isComing = ({ name }: EdgeServerState): boolean => {
    const number = deploymentOfServer(name);
    return number !== undefined && number !== current && host.underway.has(underwayKey(app, number));
  };
  const others = ready.filter((each) => !isComing(each));
  return others.length > 0 ? others : ready;
}

/** Where none is on the edge: an app of workers only, or one that has just made way for the next. */
function newestOf(containers: readonly Container[]): number | undefined {
  const numbers = containers.map((each) => Number(each.Config.Labels?.[labels.deployment]));
  return numbers.length === 0 ? undefined : Math.max(...numbers);
}

async function servicesDrift(
  host: Host,
  expected: ReleaseSpec,
  number: number,
  placements: readonly Placement[],
  containers: readonly Container[],
): Promise<Drift[]> {
  const composed = await releaseContainers(host, expected, number, placements, containers);
  // It goes, or is started again.
  const all = composed.map((each) =>
    isMakingWay(host, expected.app) && each.container !== undefined && isStoodDown(each.container)
      ? { ...each, drift: [] }
      : each,
  );
  return Object.keys(expected.services).flatMap((name) => {
    const own = all.filter((each) => each.service === name);
    const missing = own.filter((each) => each.container === undefined).length;
    const path = `services.${name}`;
    const found = own.flatMap((each) => each.drift.map((drift) => ({ ...drift, path: `${path}.${drift.path}` })));
    if (missing === 0) return found;
    const message = `${name}: ${missing} of ${own.length} containers missing${inItsPlace(own)}`;
    return [{ path, message, wanted: String(own.length), found: String(own.length - missing) }, ...found];
  });
}

/** What there should be of a release, and what there is. */
export async function releaseContainers(
  host: Host,
  spec: ReleaseSpec,
  number: number,
  placements: readonly Placement[],
  containers: readonly Container[],
): Promise<ComposedContainer[]> {
  return composedContainers(host, renderRelease(spec, number, placements, host.files), {
    services: spec.services,
    containers,
  });
}

function routesDrift(wanted: readonly Route[], served: readonly Route[]): Drift[] {
  const same = (a: Route, b: Route): boolean =>
    routePath(a.path) === routePath(b.path) && a.service === b.service && a.port === b.port;
  const gone = wanted.filter((each) => !served.some((other) => same(each, other)));
  const added = served.filter((each) => !wanted.some((other) => same(each, other)));
  return [
    ...gone.map((each) => ({
      path: "routes",
      message: `the edge has no route ${each.path} to ${each.service}:${each.port}`,
    })),
    ...added.map((each) => ({
      path: "routes",
      message: `the edge has a route ${each.path} to ${each.service}:${each.port} that nobody asked for`,
    })),
  ];
}

/** Every web container must be a server of the edge, at the address that it was given, and nothing else may be. */
function serversDrift(
  expected: ReleaseSpec,
  number: number,
  placements: readonly Placement[],
  ready: readonly EdgeServerState[],
): Drift[] {
  const wanted = edgeServersOf(expected, number, placements);
  const isSame = (server: EdgeServer, each: EdgeServerState): boolean =>
    each.name === server.name && each.address === server.address && each.port === server.port;
  const missing = wanted.filter((server) => !ready.some((each) => isSame(server, each)));
  const foreign = ready.filter((each) => !wanted.some((server) => isSame(server, each)));
  const none =
    wanted.length > 0 && ready.length === 0 ? [{ path: "routes", message: "the edge has no server for the app" }] : [];
  return [
    ...none,
    ...missing.map(({ address, port }) => ({
      path: "routes",
      message: `the edge does not serve the container at ${address}`,
      wanted: `${address}:${port}`,
    })),
    ...foreign.map(({ name, address, port }) => ({
      path: "routes",
      message: `the edge serves ${name} at ${address}, which is no container of #${number}`,
      found: `${address}:${port}`,
    })),
  ];
}

/** A server of another weight gets more or fewer requests than its share; one without gets none. */
function weightDrift(ready: readonly EdgeServerState[]): Drift[] {
  return ready
    .filter((each) => each.weight !== usualWeight)
    .map((each) => ({
      path: "routes",
      message: `the edge gives ${each.name} the weight ${each.weight}`,
      wanted: String(usualWeight),
      found: String(each.weight),
    }));
}

function statuses(containers: readonly Container[], ready: readonly EdgeServerState[]): Record<string, ServiceStatus> {
  const found: Record<string, ServiceStatus> = {};
  for (const each of containers) {
    const service = each.Config.Labels?.[labels.service] ?? each.Name.slice(1);
    const addresses = Object.values(each.NetworkSettings.Networks).map((network) => network.IPAddress);
    const isDown = ready.some((server) => addresses.includes(server.address) && server.state === "down");
    const known = found[service];
    found[service] = {
      kind: ready.some((server) => addresses.includes(server.address)) ? "web" : "worker",
      image: each.Config.Image,
      state: each.State.Status,
      healthy: each.State.Running && !each.State.Restarting && !isDown && (known?.healthy ?? true),
      replicas: (known?.replicas ?? 0) + 1,
    };
  }
  return found;
}
