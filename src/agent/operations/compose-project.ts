import * as z from "zod";
import type { AccessoriesSpec, ReleaseSpec, ServiceSpec } from "../../core/release/release-spec.ts";
import type { ComposeProject } from "../engine/compose.ts";
import { labels } from "../engine/containers.ts";
import type { FileMount, MountedFiles } from "../engine/mounted-files.ts";
import { ownLabels } from "../engine/networks.ts";
import { volumeName } from "../engine/volumes.ts";
import { addressIn } from "../ledger/subnets.ts";
import type { EdgeServer } from "../edge/edge.ts";

/** One container of a release or of the accessories, with the address that it will have. */
export interface Placement {
  /** Name of the compose service: the service's own, with `-2`, `-3`… for further replicas. */
  key: string;
  service: string;
  replica: number;
  address: string;
}

/** To render a project whose network is gone: no container can have an address of it. */
export const noSubnet = "0.0.0.0/26";

const firstServiceIndex = 2; // 1 is the gateway
const lastIndex = 61;

/**
 * Fixed addresses for every container: Docker's own choice may hand a restarted container another one's address.
 * `held`: addresses by key that stay as they are. Another one would have compose recreate the container.
 */
export function place(
  services: Record<string, ServiceSpec>,
  subnet: string,
  held: ReadonlyMap<string, string> = new Map(),
): Placement[] {
  const placements: Placement[] = [];
  const taken = new Set(held.values());
  let index = firstServiceIndex;
  for (const service of runningServices(services)) {
    for (let replica = 1; replica <= replicasOf(services[service]); replica += 1) {
      const key = replica === 1 ? service : replicaKey(services, service, replica);
      while (!held.has(key) && taken.has(addressIn(subnet, index))) index += 1;
      const address = held.get(key) ?? addressIn(subnet, index);
      taken.add(address);
      placements.push({ key, service, replica, address });
    }
  }
  return placements;
}

/** `web-2`, unless that is a service of its own. */
function replicaKey(services: Record<string, ServiceSpec>, service: string, replica: number): string {
  let key = `${service}-${replica}`;
  while (Object.hasOwn(services, key)) key += "_";
  return key;
}

/** Addresses that the accessories get on a release's network: from its end, so that both can grow. */
export function accessoryAddress(subnet: string, index: number): string {
  return addressIn(subnet, lastIndex - index);
}

/** The servers that the edge needs for a release: each web container, once for every port that a route names. */
export function edgeServersOf(spec: ReleaseSpec, number: number, placements: readonly Placement[]): EdgeServer[] {
  return placements.flatMap(({ service, replica, address }) => {
    const own = spec.routes.filter((route) => route.service === service);
    const limits = new Map(own.map(({ port, maxConnections }) => [port, maxConnections]));
    const name = serverName(number, service, replica);
    return [...limits].map(([port, maxConnections]) => ({ name, service, address, port, maxConnections }));
  });
}

/** `d42-web-1`: deployment, service, replica. */
function serverName(number: number, service: string, replica: number): string {
  return `d${number}-${service}-${replica}`;
}

/** The deployment that a server of the edge belongs to. */
export function deploymentOfServer(name: string): number | undefined {
  const found = /^d(\d+)-/.exec(name)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Compose project (and network) of a deployment; without a number what all of the app's begin with. */
export function releaseProject(app: string, number: number | ""): string {
  return `${app}-${number}`;
}

/** Compose project (and network) of an app's accessories. */
export function accessoriesProject(app: string): string {
  return `${app}-accessories`;
}

/** A release as compose shall run it, beside every other release of the app. */
export function renderRelease(
  spec: ReleaseSpec,
  number: number,
  placements: readonly Placement[],
  files: Pick<MountedFiles, "mountsOf">,
): ComposeProject {
  const own = ownLabels(spec.app, "release", number);
  return render(spec, { name: releaseProject(spec.app, number), placements, own, files, dependsOn: () => undefined });
}

/** A job of a release as compose shall run it: once. It has an address of its own, and no second job runs beside it. */
export function renderHook(
  spec: ReleaseSpec,
  number: number,
  { service, subnet }: { service: string; subnet: string },
  files: Pick<MountedFiles, "mountsOf">,
): ComposeProject {
  const running = place(spec.services, subnet);
  const placement = {
    key: service,
    service,
    replica: 1,
    address: addressIn(subnet, firstServiceIndex + running.length),
  };
  const own = { ...ownLabels(spec.app, "release", number), [labels.hook]: spec.services[service]?.hook?.run ?? "" };
  const name = releaseProject(spec.app, number);
  return runOnce(render(spec, { name, placements: [placement], own, files, dependsOn: () => undefined }));
}

/** Compose project of the command that migrates an app's database. */
export function migrationProject(app: string): string {
  return `${app}-migration`;
}

/** Such a command as compose shall run it: once, on the network that is named, at the last address of that. */
export function renderMigration(
  spec: AccessoriesSpec,
  { service, network, subnet }: { service: string; network: string; subnet: string },
  files: Pick<MountedFiles, "mountsOf">,
): ComposeProject {
  const placement = { key: service, service, replica: 1, address: addressIn(subnet, lastIndex) };
  const name = migrationProject(spec.app);
  const own = ownLabels(spec.app, "migration");
  const project = render(spec, { name, placements: [placement], own, files, dependsOn: () => undefined });
  return { ...runOnce(project), networks: { default: { name: network, external: true } } };
}

function runOnce(project: ComposeProject): ComposeProject {
  const once = Object.entries(project.services).map(([key, definition]) => [key, { ...definition, restart: "no" }]);
  return { ...project, services: Object.fromEntries(once) as ComposeProject["services"] };
}

/** The accessories as compose shall run them; `depends_on` between them is kept. */
export function renderAccessories(
  spec: AccessoriesSpec,
  placements: readonly Placement[],
  files: Pick<MountedFiles, "mountsOf">,
): ComposeProject {
  const own = ownLabels(spec.app, "accessories");
  const dependsOn = (service: ServiceSpec): unknown => service["depends_on"];
  return render(spec, { name: accessoriesProject(spec.app), placements, own, files, dependsOn });
}

interface Rendering {
  /** Of the compose project and its network. */
  name: string;
  placements: readonly Placement[];
  /** Labels by which the agent knows its containers. */
  own: Record<string, string>;
  files: Pick<MountedFiles, "mountsOf">;
  dependsOn: (service: ServiceSpec) => unknown;
}

function render(spec: ReleaseSpec | AccessoriesSpec, rendering: Rendering): ComposeProject {
  const { name, placements, own, files, dependsOn } = rendering;
  const rendered = placements.flatMap((placement) => {
    const service = spec.services[placement.service];
    if (service === undefined) return [];
    const definition = oneContainer(service);
    const aliases = otherNames(service);
    const asComposed = [
      placement.key,
      {
        ...definition,
        ...withMounts(definition["volumes"], files.mountsOf(name, service)),
        labels: {
          ...labelMap(definition["labels"]),
          ...own,
          [labels.service]: placement.service,
          ...(service.overlap === false && { [labels.overlap]: "false" }),
          ...(aliases.length > 0 && { [labels.aliases]: aliases.join(",") }),
        },
        networks: { default: { ipv4_address: placement.address, aliases: [placement.service, ...aliases] } },
        restart: "unless-stopped",
        depends_on: dependsOn(service),
      },
    ] as const;
    return [asComposed];
  });
  return {
    name,
    services: Object.fromEntries(rendered),
    networks: { default: { name, external: true } },
    volumes: Object.fromEntries(
      Object.entries(spec.volumes).map(([volume, declared]) => [
        volume,
        { name: volumeName(spec.app, volume, declared), external: true },
      ]),
    ),
  };
}

const joined = z.looseObject({ default: z.looseObject({ aliases: z.array(z.string()) }) });

/** Names besides the service's own by which the others look for it. */
function otherNames(service: ServiceSpec): string[] {
  return joined.safeParse(service["networks"]).data?.default.aliases ?? [];
}

function withMounts(volumes: unknown, mounts: readonly FileMount[]): { volumes?: unknown[] } {
  if (mounts.length === 0) return {};
  return { volumes: [...(Array.isArray(volumes) ? (volumes as unknown[]) : []), ...mounts] };
}

/** The definition for compose. Each replica is a service of its own there, so compose must not multiply it again. */
function oneContainer(service: ServiceSpec): Record<string, unknown> {
  const definition = Object.fromEntries(
    Object.entries(service).filter(([field]) => !["kind", "hook", "overlap", "files", "scale"].includes(field)),
  );
  const { deploy } = definition;
  if (typeof deploy !== "object" || deploy === null) return definition;
  return {
    ...definition,
    deploy: Object.fromEntries(Object.entries(deploy).filter(([field]) => field !== "replicas")),
  };
}

/** Services that run on their own; jobs are run when something asks for them. */
function runningServices(services: Record<string, ServiceSpec>): string[] {
  return Object.keys(services)
    .filter((name) => services[name]?.kind !== "job")
    .sort();
}

function replicasOf(service: ServiceSpec | undefined): number {
  const deploy = service?.["deploy"];
  const inDeploy = typeof deploy === "object" && deploy !== null && "replicas" in deploy ? deploy.replicas : undefined;
  const wanted = Number(service?.["scale"] ?? inDeploy ?? 1);
  return Number.isInteger(wanted) && wanted >= 0 ? wanted : 1;
}

function labelMap(value: unknown): Record<string, string> {
  if (Array.isArray(value)) {
    return Object.fromEntries(
      value.map((each) => String(each).split(/=(.*)/s, 2)).map(([name = "", text = ""]) => [name, text]),
    );
  }
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}
