import type { ComposeProject } from "../engine/compose.ts";
import type { Container } from "../engine/containers.ts";
import type { Image } from "../engine/images.ts";
import type { Drift } from "../protocol/views.ts";
import { environmentDrift } from "./environment-drift.ts";
import { mountDrift } from "./mount-drift.ts";
import { networkDrift } from "./network-drift.ts";
import { settingsDrift } from "./settings-drift.ts";

/** A service's definition as it was given to compose. */
export type ComposedService = ComposeProject["services"][string];

/** What compose was told of one container. */
export interface WantedContainer {
  /** Name of the service. */
  name: string;
  service: ComposedService;
  /** Volumes of the project, by their names in its services. */
  volumes: ComposeProject["volumes"];
  /** Where the service's files are, which are held against their content elsewhere. */
  files: ReadonlySet<string>;
  /** The one network of the project. */
  network: string;
  /** Whether it may be on this network as well. */
  mayJoin: (network: string) => boolean;
}

/**
 * How a container differs from what compose was told; `path` counts from the service. The container's own labels say
 * nothing about it: somebody who made it by hand may have copied them.
 */
export function containerDrift(wanted: WantedContainer, container: Container, image: Image | undefined): Drift[] {
  const drift = [
    ...stateDrift(container),
    ...imageDrift(wanted.service, container),
    ...environmentDrift(wanted.service, container, image),
    ...settingsDrift(wanted.service, container, image),
    ...mountDrift(wanted, container, image),
    ...networkDrift(wanted, container),
  ];
  return drift.map((each) => ({ ...each, message: `${wanted.name}: ${each.message}` }));
}

/** Whether only another container puts it right: one that is down or off its network can stay. */
export function needsAnotherContainer(drift: readonly Drift[]): boolean {
  return drift.some(({ path }) => path !== "state" && path !== "networks");
}

function stateDrift({ State }: Container): Drift[] {
  // In a crash loop the engine calls it running as well; one that is paused too.
  if (State.Status === "running") return [];
  const message = `the container is ${State.Status} (exit code ${State.ExitCode})`;
  return [{ path: "state", message, wanted: "running", found: State.Status }];
}

function imageDrift(service: ComposedService, { Config }: Container): Drift[] {
  if (Config.Image === service["image"]) return [];
  const wanted = String(service["image"]);
  return [{ path: "image", message: `the container runs ${Config.Image}`, wanted, found: Config.Image }];
}
