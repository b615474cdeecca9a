import type { VolumeSpec } from "../../core/release/release-spec.ts";
import { volumeName } from "../engine/volumes.ts";
import type { Host } from "../host.ts";
import type { Drift } from "../protocol/views.ts";

/** Named volumes of a part of an app that are not on the host. */
export async function volumeDrift(host: Host, app: string, volumes: Record<string, VolumeSpec>): Promise<Drift[]> {
  const drift = Object.entries(volumes).map(async ([key, spec]): Promise<Drift[]> => {
    const name = volumeName(app, key, spec);
    if (await host.volumes.exists(name)) return [];
    const message = `the volume ${name} is missing, and with it all that it held`;
    return [{ path: `volumes.${key}`, message, wanted: name, found: "nothing" }];
  });
  return (await Promise.all(drift)).flat();
}
