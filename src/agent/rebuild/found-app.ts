import { appName } from "../../core/release/release-spec.ts";
import type { EdgeApp } from "../edge/edge.ts";
import { labels } from "../engine/containers.ts";
import type { Container } from "../engine/containers.ts";
import type { Network } from "../engine/networks.ts";
import type { Host } from "../host.ts";
import type { AppRecord } from "../ledger/app-records.ts";
import { deploymentOfServer } from "../operations/compose-project.ts";

/** All that the host shows of an app, the ledger aside. */
export interface FoundApp {
  readonly app: string;
  /** Of the release's services; jobs are left out. */
  readonly containers: readonly Container[];
  readonly accessories: readonly Container[];
  readonly networks: readonly Network[];
  /** Names of the volumes that were made for it, or that its containers have. */
  readonly volumes: readonly string[];
  /** What the edge serves, by its configuration on disk, else by what it says. */
  readonly edge: EdgeApp | undefined;
  /** What the ledger had of it. */
  readonly record: AppRecord | undefined;
}

/** Looks for apps at the engine, at the edge and among the records. */
export async function findApps(host: Host): Promise<FoundApp[]> {
  const [releases, accessories, networks, records, configured] = await Promise.all([
    host.containers.list({ [labels.part]: "release" }),
    host.containers.list({ [labels.part]: "accessories" }),
    Promise.all(["release", "accessories"].map((part) => host.networks.list({ [labels.part]: part }))),
    host.records.read(),
    host.edge.configured(),
  ]);
  const services = releases.filter((each) => each.Config.Labels?.[labels.hook] === undefined);
  const labelled = [...releases, ...accessories].map((each) => each.Config.Labels?.[labels.app]);
  const named = [
    ...labelled,
    ...networks.flat().map((each) => each.Labels?.[labels.app]),
    ...(configured ?? []).map((each) => each.app),
    ...records.map((each) => each.app),
  ];
  // Whatever else carries the label is not the agent's.
  const apps = [...new Set(named)].filter((each): each is string => appName.safeParse(each).success).sort();
  return Promise.all(
    apps.map(async (app): Promise<FoundApp> => {
      const own = (each: Container): boolean => each.Config.Labels?.[labels.app] === app;
      return {
        app,
        containers: services.filter(own),
        accessories: accessories.filter(own),
        networks: networks.flat().filter((each) => each.Labels?.[labels.app] === app),
        volumes: await volumesOf(host, app, [...releases, ...accessories].filter(own)),
        edge: configured === undefined ? await onRunningEdge(host, app) : configured.find((each) => each.app === app),
        record: records.find((each) => each.app === app),
      };
    }),
  );
}

/** The deployment that serves. The edge's word counts for more than the record's, which may be a moment older. */
export function servingNumber({ edge, record, containers }: FoundApp): number | undefined {
  const onEdge = edge?.servers.map((each) => deploymentOfServer(each.name)).find((each) => each !== undefined);
  if (onEdge !== undefined) return onEdge;
  if (record !== undefined) {
    const current = record.tables.deployments?.find((each) => each["status"] === "current");
    return typeof current?.["number"] === "number" ? current["number"] : undefined;
  }
  // An app of workers only is on no edge.
  const running = containers.filter((each) => each.State.Running);
  return Math.max(...(running.length > 0 ? running : containers).map(deploymentOf), 0) || undefined;
}

/** Deployments that something is left of, by the labels. */
export function numbersOf({ containers, networks }: FoundApp): number[] {
  const labelled = [...containers.map(deploymentOf), ...networks.map((each) => numberIn(each.Labels))];
  return [...new Set(labelled)].filter((number) => number > 0).sort((a, b) => a - b);
}

/** The deployment that a container is of; 0 where it does not say. */
export function deploymentOf(container: Container): number {
  return numberIn(container.Config.Labels);
}

function numberIn(found: Record<string, string> | null): number {
  const number = Number(found?.[labels.deployment] ?? 0);
  return Number.isSafeInteger(number) && number > 0 ? number : 0;
}

async function volumesOf(host: Host, app: string, containers: readonly Container[]): Promise<string[]> {
  const mounted = containers.flatMap(({ Mounts }) =>
    Mounts.flatMap(({ Type, Name }) => (Type === "volume" ? Name : [])),
  );
  return [...new Set([...(await host.volumes.ownOf(app)), ...mounted])];
}

async function onRunningEdge(host: Host, app: string): Promise<EdgeApp | undefined> {
  // One that does not run serves nobody.
  const served = await host.edge.served(app).catch(() => undefined);
  if (served === undefined || served.routes.length + served.domains.length === 0) return undefined;
  const servers = served.servers.filter((each) => each.state === "ready" || each.state === "down");
  return {
    app,
    domains: served.domains,
    routes: served.routes,
    servers: servers.map(({ name, backend, address, port }) => ({
      ...{ name, address, port },
      service: backend.slice(app.length + 1, backend.lastIndexOf("_")),
    })),
  };
}
