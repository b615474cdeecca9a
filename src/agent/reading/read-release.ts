import type { ReleaseSpec, Route } from "../../core/deployer/release-spec.ts";
import type { EdgeServerState } from "../edge/edge.ts";
import { labels } from "../engine/containers.ts";
import type { Container } from "../engine/containers.ts";
import { ownLabels } from "../engine/networks.ts";
import type { Host } from "../host.ts";
import { deploymentOfServer, place, releaseProject } from "../operations/compose-project.ts";
import type { Drift, PartView, ServiceStatus } from "../protocol.ts";
import { containerDrift } from "./container-drift.ts";

type ReleaseView = Omit<PartView, "generation">;

/**
 * What really runs and serves of an app's release: from the containers and HAProxy, never from the
 * ledger. With `expected`, also how that differs.
 */
export async function readRelease(host: Host, app: string, expected: ReleaseSpec | undefined): Promise<ReleaseView> {
  const [found, served] = await Promise.all([host.containers.list(ownLabels(app, "release")), host.edge.served(app)]);
  const all = found.filter((each) => each.Config.Labels?.[labels.hook] === undefined);
  const ready = served.servers.filter((each) => each.state === "ready" || each.state === "down");
  const number = servedNumber(ready) ?? newestRunning(all);
  if (number === undefined) return { exists: false, drift: [], services: {} };
  const containers = all.filter((each) => each.Config.Labels?.[labels.deployment] === String(number));
  const view = { exists: true, number, services: statuses(containers, ready) };
  const digest = host.deployments.find(app, number)?.digest;
  const identity = digest === undefined ? {} : { digest };
  if (expected === undefined) return { ...view, ...identity, drift: [] };
  const drift = [
    ...(await servicesDrift(host, expected, containers, releaseProject(app, number))),
    ...routesDrift(expected.routes, served.routes),
    ...serversDrift(expected, number, containers, ready),
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

/** An app of workers only is on no edge. */
function newestRunning(containers: readonly Container[]): number | undefined {
  const numbers = containers
    .filter((each) => each.State.Running)
    .map((each) => Number(each.Config.Labels?.[labels.deployment]));
  return numbers.length === 0 ? undefined : Math.max(...numbers);
}

async function servicesDrift(
  host: Host,
  expected: ReleaseSpec,
  containers: readonly Container[],
  project: string,
): Promise<Drift[]> {
  const perService = await Promise.all(
    Object.entries(expected.services).map(async ([name, wanted]) => {
      if (wanted.kind === "job") return [];
      const path = `services.${name}`;
      const own = containers.filter((each) => each.Config.Labels?.[labels.service] === name);
      const count = place({ [name]: wanted }, "10.0.0.0/26").length;
      const image = await host.images.inspect(wanted.image);
      const missing =
        own.length < count ? [{ path, message: `${name}: ${count - own.length} of ${count} containers missing` }] : [];
      const files = await Promise.all(own.map((each) => host.files.drift(path, project, wanted, each)));
      return [...missing, ...own.flatMap((each) => containerDrift(path, name, wanted, each, image)), ...files.flat()];
    }),
  );
  return perService.flat();
}

function routesDrift(wanted: readonly Route[], served: readonly Route[]): Drift[] {
  const same = (a: Route, b: Route): boolean => a.path === b.path && a.service === b.service && a.port === b.port;
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

/** Every web container must be a server of the edge, at the address it really has, and nothing else may be. */
function serversDrift(
  expected: ReleaseSpec,
  number: number,
  containers: readonly Container[],
  ready: readonly EdgeServerState[],
): Drift[] {
  const routed = new Set(expected.routes.map((each) => each.service));
  const addresses = containers
    .filter((each) => routed.has(each.Config.Labels?.[labels.service] ?? ""))
    .flatMap((each) => Object.values(each.NetworkSettings.Networks).map((network) => network.IPAddress))
    .filter((each) => each !== "");
  const missing = addresses.filter((address) => !ready.some((each) => each.address === address));
  const foreign = ready.filter((each) => deploymentOfServer(each.name) !== number || !addresses.includes(each.address));
  const none =
    routed.size > 0 && ready.length === 0 ? [{ path: "routes", message: "the edge has no server for the app" }] : [];
  return [
    ...none,
    ...missing.map((address) => ({ path: "routes", message: `the edge does not serve the container at ${address}` })),
    ...foreign.map((each) => ({
      path: "routes",
      message: `the edge serves ${each.name} at ${each.address}, which is no container of #${number}`,
    })),
  ];
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
