import type { VolumeSpec } from "../../../core/release/release-spec.ts";
import { IkomaError } from "../../../core/errors.ts";
import { labels } from "../../engine/containers.ts";
import { volumeName } from "../../engine/volumes.ts";
import type { Host } from "../../host.ts";
import { otherUserOf, volumesOf } from "../../reading/read-leftovers.ts";

interface Wanted {
  app: string;
  volumes: Readonly<Record<string, VolumeSpec>>;
}

/**
 * Makes the volumes that are not there yet, and refuses to make one that was there before: an empty database in place
 * of a lost one would look like a repair. `recreate` names those that may be made anew, empty. One that another app uses
 * is shared only where it is declared `external`: two servers on the same files destroy them.
 *
 * @throws VOLUME_MISSING, VOLUME_IN_USE before anything is changed
 */
export async function ensureVolumes(
  host: Host,
  { app, volumes }: Wanted,
  recreate: readonly string[] = [],
): Promise<void> {
  const all = Object.entries(volumes).map(([key, spec]) => ({ key, spec, name: volumeName(app, key, spec) }));
  for (const { name, spec } of all) if (!spec.external) claim(host, app, name);
  const found = await Promise.all(all.map((each) => host.volumes.exists(each.name)));
  const missing = all.filter((_, index) => found[index] === false);
  const lost = missing.filter(
    ({ key, name }) => host.knownVolumes.has(name) && !recreate.includes(key) && !recreate.includes(name),
  );
  if (lost.length > 0) throw volumesMissing(app, lost);
  const there = all.filter(({ spec }, index) => found[index] === true && !spec.external);
  if (there.length > 0) await refuseShared(host, app, there);
  for (const { name, spec } of missing) await host.volumes.ensure(name, app, spec);
  for (const { name } of all) host.knownVolumes.add(app, name);
}

/** Two apps that are deployed at once know nothing of each other yet. */
function claim(host: Host, app: string, name: string): void {
  const holder = host.knownVolumes.claimedBy(name) ?? app;
  const isUnderWay = holder !== app && host.journal.running().some((each) => each.app === holder);
  if (isUnderWay && !volumesOf(host, app).includes(name)) throw volumeInUse(app, name, holder);
  host.knownVolumes.claim(app, name);
}

async function refuseShared(host: Host, app: string, there: readonly { name: string }[]): Promise<void> {
  const own = [...(await host.volumes.ownOf(app)), ...volumesOf(host, app)];
  for (const { name } of there) {
    if (own.includes(name)) continue;
    const other = otherUserOf(host, app, name) ?? (await otherMountOf(host, app, name));
    if (other !== undefined) throw volumeInUse(app, name, other);
  }
}

/** Of an app whose containers stand although its change has failed. */
async function otherMountOf(host: Host, app: string, name: string): Promise<string | undefined> {
  const containers = await Promise.all((await host.volumes.usersOf(name)).map((each) => host.containers.inspect(each)));
  return containers
    .map((each) => each?.Config.Labels?.[labels.app])
    .find((other) => other !== undefined && other !== app);
}

function volumeInUse(app: string, name: string, other: string): IkomaError {
  return new IkomaError(
    "VOLUME_IN_USE",
    `The volume ${name} is that of ${other} on this host: ${app} would write to the same files. Nothing was changed.`,
    { details: { volumes: [name], app: other } },
  );
}

function volumesMissing(app: string, lost: readonly { key: string; name: string }[]): IkomaError {
  const names = lost.map((each) => each.name);
  const options = lost.map(({ key }) => `--recreate-volume ${key}`).join(" ");
  const [first = ""] = names;
  const what = names.length === 1 ? `The volume ${first} is gone` : `The volumes ${names.join(", ")} are gone`;
  return new IkomaError(
    "VOLUME_MISSING",
    `${what} from the host, and with it what ${app} kept in it. Nothing was changed, and nothing empty was put in its place.`,
    {
      hint:
        `Restore it from a backup into a volume of that name (\`docker volume create ${first}\` on the host, then fill it) ` +
        `and run again; or begin with an empty one: \`ikoma deploy apply --app ${app} ${options}\`.`,
      details: { volumes: names },
    },
  );
}
