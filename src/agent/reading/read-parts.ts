import { accessoriesSpec, releaseSpec, siteSpec } from "../../core/deployer/release-spec.ts";
import type { AccessoriesSpec, SiteSpec } from "../../core/deployer/release-spec.ts";
import { labels } from "../engine/containers.ts";
import type { Container } from "../engine/containers.ts";
import { ownLabels } from "../engine/networks.ts";
import { volumeName } from "../engine/volumes.ts";
import type { Host } from "../host.ts";
import { accessoriesProject, releaseProject } from "../operations/compose-project.ts";
import { operations } from "../protocol.ts";
import type { Drift, Part, PartView, ServiceStatus } from "../protocol.ts";
import { containerDrift } from "./container-drift.ts";
import { readRelease } from "./read-release.ts";

/** Reads a part of an app from the host and holds it against what the caller expects (null: nothing). */
export async function readPart(host: Host, app: string, part: Part, expected: unknown): Promise<PartView> {
  const view = await viewOf(host, app, part, expected);
  return { ...view, generation: host.parts.generation(app, part) };
}

function viewOf(host: Host, app: string, part: Part, expected: unknown): Promise<Omit<PartView, "generation">> {
  switch (part) {
    case "release":
      return readRelease(host, app, expected === null ? undefined : releaseSpec.parse(expected));
    case "accessories":
      return readAccessories(host, app, expected === null ? undefined : accessoriesSpec.parse(expected));
    case "site":
      return readSite(host, app, expected === null ? undefined : siteSpec.parse(expected));
    case "bundle":
      return readBundle(host, app, expected === null ? undefined : operations["bundle.stage"].input.parse(expected));
  }
}

/** The accessories' containers, volumes, and whether the release that serves can reach them. */
export async function readAccessories(
  host: Host,
  app: string,
  expected: AccessoriesSpec | undefined,
): Promise<Omit<PartView, "generation">> {
  const containers = await host.containers.list(ownLabels(app, "accessories"));
  const services = Object.fromEntries(containers.map((each) => [serviceOf(each), statusOf(each)]));
  const exists = containers.length > 0 || host.parts.get(app, "accessories", accessoriesSpec) !== undefined;
  if (expected === undefined) return { exists, drift: [], services };
  const drift = await Promise.all([
    ...Object.keys(expected.services).map((name) => accessoryDrift(host, app, name, expected, containers)),
    ...Object.entries(expected.volumes).map(async ([name, spec]): Promise<Drift[]> => {
      if (await host.volumes.exists(volumeName(app, name, spec))) return [];
      return [{ path: `volumes.${name}`, message: `the volume ${volumeName(app, name, spec)} is missing` }];
    }),
  ]);
  return { exists, drift: drift.flat(), services };
}

async function accessoryDrift(
  host: Host,
  app: string,
  name: string,
  expected: AccessoriesSpec,
  containers: Container[],
): Promise<Drift[]> {
  const path = `services.${name}`;
  const wanted = expected.services[name];
  const container = containers.find((each) => serviceOf(each) === name);
  if (wanted === undefined || container === undefined) return [{ path, message: `${name}: the container is missing` }];
  const image = await host.images.inspect(wanted.image);
  const current = host.deployments.current(app);
  const network = current === undefined ? undefined : releaseProject(app, current.number);
  const isDetached = network !== undefined && !(network in container.NetworkSettings.Networks);
  return [
    ...containerDrift(path, name, wanted, container, image),
    ...(await host.files.drift(path, accessoriesProject(app), wanted, container)),
    ...(isDetached
      ? [
          {
            path: `${path}.networks`,
            message: `${name}: the container is not attached to the release's network ${network}`,
          },
        ]
      : []),
  ];
}

async function readSite(
  host: Host,
  app: string,
  expected: SiteSpec | undefined,
): Promise<Omit<PartView, "generation">> {
  const exists = host.parts.get(app, "site", siteSpec) !== undefined;
  const { domains } = await host.edge.served(app);
  const differs =
    expected !== undefined && exists && [...domains].sort().join(" ") !== [...expected.domains].sort().join(" ");
  const drift = differs
    ? [{ path: "domains", message: `the edge serves ${domains.length === 0 ? "every host name" : domains.join(", ")}` }]
    : [];
  return { exists, drift, services: {} };
}

async function readBundle(
  host: Host,
  app: string,
  expected: { images: string[] } | undefined,
): Promise<Omit<PartView, "generation">> {
  const exists = host.parts.get(app, "bundle", operations["bundle.stage"].input) !== undefined;
  const found = await Promise.all(
    (expected?.images ?? []).map(async (reference) => ({ reference, image: await host.images.inspect(reference) })),
  );
  const drift = found
    .filter((each) => each.image === undefined)
    .map((each) => ({ path: "images", message: `the image ${each.reference} is not on the host` }));
  return { exists, drift, services: {} };
}

function serviceOf(container: Container): string {
  return container.Config.Labels?.[labels.service] ?? container.Name.slice(1);
}

function statusOf(container: Container): ServiceStatus {
  return {
    kind: "accessory",
    image: container.Config.Image,
    state: container.State.Status,
    healthy: container.State.Running && !container.State.Restarting,
    replicas: 1,
  };
}
