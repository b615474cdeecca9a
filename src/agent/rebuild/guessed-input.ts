import { accessoriesSpec, releaseSpec, serviceSpec } from "../../core/release/release-spec.ts";
import type { AccessoriesSpec, ServiceSpec } from "../../core/release/release-spec.ts";
import type { OperationInput } from "../protocol/operations.ts";
import { operations } from "../protocol/operations.ts";
import { labels } from "../engine/containers.ts";
import type { Container } from "../engine/containers.ts";
import type { ReleaseInput } from "../ledger/deployments.ts";
import { unknownRelease } from "../ledger/found-deployments.ts";
import { releaseProject } from "../operations/compose-project.ts";
import { deploymentOf } from "./found-app.ts";
import type { FoundApp } from "./found-app.ts";

/**
 * A release as far as its containers, its network's labels and the edge tell it: enough to serve it and to clean it
 * away. Its environment, files, health and smoke checks are left out: nothing may be made of a guess.
 */
export function guessedRelease({ app, containers, networks, edge, record }: FoundApp, number: number): ReleaseInput {
  const network = networks.find((each) => each.Name === releaseProject(app, number));
  const row = record?.tables.deployments?.find((each) => each["number"] === number);
  const told = {
    version: row?.["version"] ?? network?.Labels?.[labels.version],
    bundle: network?.Labels?.[labels.bundle],
  };
  const version = releaseSpec.shape.version.safeParse(told.version);
  const bundle = releaseSpec.shape.bundle.safeParse(row?.["bundle"] ?? told.bundle);
  const routes = edge?.routes ?? [];
  const own = containers.filter((each) => deploymentOf(each) === number);
  const webs = new Set(routes.map((each) => each.service));
  return operations["release.apply"].input.parse({
    spec: {
      app,
      version: version.success ? version.data : unknownRelease.version,
      bundle: bundle.success ? bundle.data : unknownRelease.bundle,
      services: servicesOf(own, (service) => (webs.has(service) ? "web" : "worker")),
      routes,
    },
    source: {},
  });
}

/** The accessories as far as their containers tell; undefined where there are none. */
export function guessedAccessories({ app, accessories }: FoundApp): AccessoriesSpec | undefined {
  const services = servicesOf(accessories, () => "accessory");
  return Object.keys(services).length === 0 ? undefined : accessoriesSpec.parse({ app, services });
}

/** The images that the app needs; undefined where nothing of it runs. */
export function guessedBundle(
  { app, containers, accessories }: FoundApp,
  { bundle }: Pick<ReleaseInput["spec"], "bundle">,
): OperationInput<"bundle.stage"> | undefined {
  const images = [...new Set([...containers, ...accessories].map((each) => each.Config.Image))].sort();
  return images.length === 0 ? undefined : operations["bundle.stage"].input.parse({ app, bundle, images });
}

function servicesOf(
  containers: readonly Container[],
  kindOf: (service: string) => ServiceSpec["kind"],
): Record<string, ServiceSpec> {
  const services = containers.map((each): [string, unknown] => {
    const service = each.Config.Labels?.[labels.service] ?? "";
    const isAlone = each.Config.Labels?.[labels.overlap] === "false";
    return [service, { kind: kindOf(service), image: each.Config.Image, ...(isAlone && { overlap: false }) }];
  });
  const valid = services.flatMap(([name, service]) => {
    const parsed = serviceSpec.safeParse(service);
    return name === "" || !parsed.success ? [] : [[name, parsed.data] as const];
  });
  return Object.fromEntries(valid);
}
