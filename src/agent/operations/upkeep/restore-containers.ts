import type { ComposeProject } from "../../engine/compose.ts";
import type { Container } from "../../engine/containers.ts";
import type { Host } from "../../host.ts";
import { composeKey } from "../../reading/composed-drift.ts";
import { networkDrift } from "../../reading/network-drift.ts";

/**
 * What can be put right of a compose project's containers without a restart, which is what compose would do about it:
 * those that are paused go on, and each is on the network as it was told to be, and off others. Those that do not exist
 * yet are compose's to make.
 */
export async function restoreContainers(
  host: Host,
  project: ComposeProject,
  containers: readonly Container[],
  mayJoin: (network: string) => boolean = () => false,
): Promise<void> {
  for (const each of containers) if (each.State.Status === "paused") await host.containers.resume(each.Id);
  const network = project.networks.default.name;
  const altered = containers.flatMap((container) => {
    const service = project.services[composeKey(container)];
    if (service === undefined) return [];
    return networkDrift({ service, network, mayJoin }, container).length === 0 ? [] : [{ container, service }];
  });
  const joined = ({ container }: (typeof altered)[number]): string[] => Object.keys(container.NetworkSettings.Networks);
  // All off first: one may have the address of another.
  for (const each of altered) {
    for (const name of joined(each)) if (!mayJoin(name)) await host.networks.disconnect(name, each.container.Id);
  }
  for (const { container, service } of altered) {
    const { ipv4_address: address, aliases } = endpointOf(service);
    await host.networks.connect(network, container.Id, aliases, address);
  }
}

function endpointOf(service: ComposeProject["services"][string]): { ipv4_address: string; aliases: string[] } {
  return (service["networks"] as { default: { ipv4_address: string; aliases: string[] } }).default;
}
