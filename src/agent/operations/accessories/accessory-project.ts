import type { AccessoriesSpec } from "../../../core/release/release-spec.ts";
import { labels } from "../../engine/containers.ts";
import type { Container } from "../../engine/containers.ts";
import type { ComposeProject } from "../../engine/compose.ts";
import type { Host } from "../../host.ts";
import { composeKey, composedContainers } from "../../reading/composed-drift.ts";
import type { ComposedContainer } from "../../reading/composed-drift.ts";
import { addressOn } from "./accessory-networks.ts";
import { accessoriesProject, noSubnet, place, releaseProject, renderAccessories } from "../compose-project.ts";

/** The accessories as compose is told to have them: on this subnet, each with the address that it has already. */
export function accessoriesAsComposed(
  host: Host,
  spec: AccessoriesSpec,
  subnet: string,
  containers: readonly Container[],
): ComposeProject {
  return renderAccessories(spec, place(spec.services, subnet, addressesHeld(spec, containers)), host.files);
}

/** What there should be of the accessories, on the network that they really have, and what there is. */
export async function accessoryContainers(
  host: Host,
  spec: AccessoriesSpec,
  containers: readonly Container[],
): Promise<ComposedContainer[]> {
  const subnet = (await host.networks.subnetOf(accessoriesProject(spec.app))) ?? noSubnet;
  const project = accessoriesAsComposed(host, spec, subnet, containers);
  return composedContainers(host, project, { services: spec.services, containers, mayJoin: isOfRelease(spec.app) });
}

/** Whether a network is one of the app's releases, which accessories are attached to. */
export function isOfRelease(app: string): (network: string) => boolean {
  const prefix = releaseProject(app, "");
  return (network) => network.startsWith(prefix) && /^\d+$/.test(network.slice(prefix.length));
}

/** Addresses that the accessories have already; a database is not to be restarted because a cache came before it. */
function addressesHeld(spec: AccessoriesSpec, containers: readonly Container[]): Map<string, string> {
  const network = accessoriesProject(spec.app);
  return new Map(
    containers.flatMap((each): [string, string][] => {
      const address = addressOn(network, each);
      const service = each.Config.Labels?.[labels.service] ?? "";
      const stays = address !== undefined && address !== "" && Object.hasOwn(spec.services, service);
      return composeKey(each) !== "" && stays ? [[composeKey(each), address]] : [];
    }),
  );
}
