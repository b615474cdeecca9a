import { labels } from "../engine/containers.ts";
import { ownLabels } from "../engine/networks.ts";
import type { Host } from "../host.ts";
import { accessoryAddress, releaseProject } from "./compose-project.ts";

/**
 * Attaches every accessory of an app to a release's network under its service name. A release has a
 * network of its own: on a shared one compose would register each release's names, and `web` would
 * resolve to the wrong one (docker/compose#8223).
 */
export async function attachAccessories(host: Host, app: string, network: string, subnet: string): Promise<void> {
  const accessories = await host.containers.list(ownLabels(app, "accessories"));
  accessories.sort((a, b) => a.Name.localeCompare(b.Name));
  await Promise.all(
    accessories.map(async (each, index) => {
      if (network in each.NetworkSettings.Networks) return;
      const alias = each.Config.Labels?.[labels.service] ?? each.Name.slice(1);
      await host.networks.connect(network, each.Id, [alias], accessoryAddress(subnet, index));
    }),
  );
}

/** The same for the network of the release that serves, after accessories were recreated. */
export async function reattachToCurrent(host: Host, app: string): Promise<void> {
  const current = host.deployments.current(app);
  if (current?.subnet === undefined) return;
  await attachAccessories(host, app, releaseProject(app, current.number), current.subnet);
}
