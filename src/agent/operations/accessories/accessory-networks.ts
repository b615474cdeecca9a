import { labels } from "../../engine/containers.ts";
import type { Container } from "../../engine/containers.ts";
import { ownLabels } from "../../engine/networks.ts";
import type { Host } from "../../host.ts";
import { accessoryAddress, releaseProject } from "../compose-project.ts";

/**
 * Attaches every accessory of an app to a release's network under its service name. A release has a
 * network of its own: on a shared one compose would register each release's names, and `web` would
 * resolve to the wrong one (docker/compose#8223).
 */
export async function attachAccessories(host: Host, app: string, network: string, subnet: string): Promise<void> {
  const accessories = await host.containers.list(ownLabels(app, "accessories"));
  accessories.sort((a, b) => a.Name.localeCompare(b.Name));
  const taken = new Set(accessories.map((each) => addressOn(network, each)));
  const detached = accessories.filter((each) => !(network in each.NetworkSettings.Networks));
  const free = freeAddresses(subnet, taken, detached.length);
  const placed = detached.map((each, index) => ({ each, address: free[index] ?? "" }));
  await Promise.all(
    placed.map(async ({ each, address }) => {
      await host.networks.connect(network, each.Id, namesOf(each), address);
    }),
  );
}

/** Its service's, and other ones that the compose file gives it. */
function namesOf({ Config, Name }: Container): string[] {
  const others = Config.Labels?.[labels.aliases]?.split(",") ?? [];
  return [Config.Labels?.[labels.service] ?? Name.slice(1), ...others];
}

/** The address that the container has, or will ask for when it is started again. */
export function addressOn(network: string, container: Container): string | undefined {
  const endpoint = container.NetworkSettings.Networks[network];
  return endpoint?.IPAddress === "" ? endpoint.IPAMConfig?.IPv4Address : endpoint?.IPAddress;
}

/** One that came later may stand, by its name, between two that have their addresses already. */
function freeAddresses(subnet: string, taken: ReadonlySet<string | undefined>, count: number): string[] {
  const candidates = Array.from({ length: count + taken.size }, (_, index) => accessoryAddress(subnet, index));
  return candidates.filter((each) => !taken.has(each)).slice(0, count);
}

/** The same for the network of the release that serves, after accessories were recreated. */
export async function reattachToCurrent(host: Host, app: string): Promise<void> {
  const current = host.deployments.current(app);
  if (current?.subnet === undefined) return;
  await attachAccessories(host, app, releaseProject(app, current.number), current.subnet);
}
