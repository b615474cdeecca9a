import type { AccessoriesSpec } from "../../../core/release/release-spec.ts";
import { IkomaError } from "../../../core/errors.ts";
import type { Container } from "../../engine/containers.ts";
import { ownLabels } from "../../engine/networks.ts";
import { volumeName } from "../../engine/volumes.ts";
import type { Host } from "../../host.ts";
import { composeKey } from "../../reading/composed-drift.ts";
import { composeMounts } from "../../reading/mount-drift.ts";

/**
 * PostgreSQL does not open the files of another major version: the database would be stopped for a server that cannot
 * start. So it is refused beforehand where service and volume stay and the image's own word for its version
 * (`PG_MAJOR`, as in the official images) is another.
 *
 * @throws DATABASE_MAJOR_CHANGED before anything is changed
 */
export async function refuseAnotherMajor(host: Host, spec: AccessoriesSpec): Promise<void> {
  const containers = await host.containers.list(ownLabels(spec.app, "accessories"));
  for (const container of containers) {
    const service = composeKey(container);
    const asked = spec.services[service];
    const before = majorIn(container.Config.Env);
    if (asked === undefined || before === undefined || !keepsVolume(spec, service, container)) continue;
    const after = majorIn((await host.images.inspect(asked.image))?.Config?.Env);
    if (after === undefined || after === before) continue;
    throw new IkomaError(
      "DATABASE_MAJOR_CHANGED",
      `The service ${service} of ${spec.app} has files of PostgreSQL ${before}, and its image is PostgreSQL ${after} now, which cannot read them. Nothing was changed.`,
      { details: { service, before, after } },
    );
  }
}

function majorIn(environment: readonly string[] | null | undefined): string | undefined {
  return environment?.find((each) => each.startsWith("PG_MAJOR="))?.slice("PG_MAJOR=".length);
}

function keepsVolume({ app, services, volumes }: AccessoriesSpec, service: string, container: Container): boolean {
  const mounts = composeMounts.safeParse(services[service]?.["volumes"]).data ?? [];
  const wanted = mounts.flatMap(({ type, source }) => {
    const volume = source === undefined ? undefined : volumes[source];
    return type === "volume" && source !== undefined && volume !== undefined ? [volumeName(app, source, volume)] : [];
  });
  return container.Mounts.some(({ Name }) => wanted.includes(Name));
}
