import { accessoriesSpec, siteSpec, type VolumeSpec } from "../../core/release/release-spec.ts";
import { labels } from "../engine/containers.ts";
import { volumeName } from "../engine/volumes.ts";
import type { Host } from "../host.ts";
import { operations } from "../protocol/operations.ts";
import type { Result } from "../protocol/methods.ts";

type Leftovers = Result<"app.leftovers">;

/** What an app has left on the host, and what of it still stands. Sizes are asked of the engine, which may take seconds. */
export async function readLeftovers(host: Host, app: string): Promise<Leftovers> {
  const [standing, own, sizes, backups] = await Promise.all([
    standingOf(host, app),
    host.volumes.ownOf(app),
    host.volumes.sizes(),
    host.backups.list(app),
  ]);
  // By its name it could be the app's, but somebody else made it.
  const alike = [...sizes.keys()].filter((name) => name.startsWith(`${app}_`) && !own.includes(name));
  const volumes = [...own, ...alike].sort().map(async (name): Promise<Leftovers["volumes"][number]> => {
    const bytes = sizes.get(name);
    const kept = own.includes(name) ? await userOf(host, app, name) : `it was not made for ${app}`;
    return { name, ...(bytes !== undefined && { bytes }), ...(kept !== undefined && { kept }) };
  });
  return {
    standing,
    volumes: await Promise.all(volumes),
    images: host.imageUse.of(app),
    deployments: host.deployments.count(app),
    backups: backups.length,
  };
}

/** What was not removed yet: an app that is to be purged has none of it. */
export async function standingOf(host: Host, app: string): Promise<string[]> {
  const current = host.deployments.current(app);
  const containers = await host.containers.list({ [labels.app]: app });
  const parts = {
    bundle: operations["bundle.stage"].input,
    accessories: accessoriesSpec,
    site: siteSpec,
  } as const;
  const kept = (["bundle", "accessories", "site"] as const).filter(
    (part) => host.parts.get(app, part, parts[part]) !== undefined,
  );
  return [
    ...(current === undefined ? [] : [`release #${current.number} (${current.version})`]),
    ...kept.map((part) => `its ${part}`),
    ...(host.parts.has(app, "backup") ? ["its backup policy"] : []),
    ...containers.map(({ Name }) => `container ${Name.slice(1)}`),
  ];
}

/** Why a volume that was made for the app must stay: a container has it, or another app is to have it. */
export async function userOf(host: Host, app: string, volume: string): Promise<string | undefined> {
  const [container] = await host.volumes.usersOf(volume);
  if (container !== undefined) return `the container ${container} has it`;
  const other = otherUserOf(host, app, volume);
  return other === undefined ? undefined : `the app ${other} uses it`;
}

/** Another app that mounts the volume, or goes back to a release that does. */
export function otherUserOf(host: Host, app: string, volume: string): string | undefined {
  return host.parts.apps().find((each) => each !== app && volumesOf(host, each).includes(volume));
}

/** Volumes that an app's accessories and the releases that it can go back to mount. */
export function volumesOf(host: Host, app: string): string[] {
  const specs = [
    host.parts.get(app, "accessories", accessoriesSpec),
    ...host.deployments.kept(app).map(({ number }) => host.deployments.input(app, number)?.spec),
  ];
  const named = (volumes: Record<string, VolumeSpec>): string[] =>
    Object.entries(volumes).map(([name, spec]) => volumeName(app, name, spec));
  return specs.flatMap((spec) => (spec === undefined ? [] : named(spec.volumes)));
}
