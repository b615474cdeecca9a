import type { ServiceSpec } from "../../core/release/release-spec.ts";
import type { ComposeProject } from "../engine/compose.ts";
import { labels } from "../engine/containers.ts";
import type { Container } from "../engine/containers.ts";
import type { Host } from "../host.ts";
import { impostorOf } from "../operations/upkeep/impostors.ts";
import type { Drift } from "../protocol/views.ts";
import { containerDrift } from "./container-drift.ts";

/** One container of a compose project: what compose was told, what there is, and how they differ. */
export interface ComposedContainer {
  /** Name of the compose service; another one for each replica. */
  key: string;
  /** The service of the app that it is a replica of. */
  service: string;
  container: Container | undefined;
  /** In its place: a container of its name that is not the agent's. */
  impostor: Container | undefined;
  /** Paths count from the service; empty where there is no container. */
  drift: Drift[];
}

/** What the containers of a compose project are held against besides the project itself. */
export interface Composed {
  services: Readonly<Record<string, ServiceSpec>>;
  containers: readonly Container[];
  /** Other networks that are theirs. @default none */
  mayJoin?: (network: string) => boolean;
}

/** Holds the containers of a compose project against what compose was told. */
export function composedContainers(
  host: Host,
  project: ComposeProject,
  { services, containers, mayJoin = () => false }: Composed,
): Promise<ComposedContainer[]> {
  return Promise.all(
    Object.entries(project.services).map(async ([key, definition]) => {
      const service = (definition["labels"] as Record<string, string>)[labels.service] ?? key;
      const container = containers.find((each) => composeKey(each) === key);
      if (container === undefined)
        return { key, service, container, impostor: await impostorOf(host, project.name, key), drift: [] };
      const spec = services[service];
      const wanted = {
        name: service,
        service: definition,
        volumes: project.volumes,
        network: project.networks.default.name,
        files: new Set(Object.keys(spec?.files ?? {})),
        mayJoin,
      };
      const image = await host.images.inspect(String(definition["image"]));
      const files = spec === undefined ? [] : await host.files.drift(project.name, spec, container);
      return {
        key,
        service,
        container,
        impostor: undefined,
        drift: [...containerDrift(wanted, container, image), ...files],
      };
    }),
  );
}

/** Says of a missing container what stands in its place; nothing where nothing does. */
export function inItsPlace(containers: readonly ComposedContainer[]): string {
  const names = containers.flatMap((each) => each.impostor?.Name.slice(1) ?? []);
  return names.length === 0 ? "" : `; ${names.join(", ")} was made by hand, without the agent's labels`;
}

/** Name of the compose service that a container is of. */
export function composeKey(container: Container): string {
  return container.Config.Labels?.["com.docker.compose.service"] ?? "";
}
