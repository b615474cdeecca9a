import type { ReleaseSpec } from "../../../core/release/release-spec.ts";
import { ownLabels } from "../../engine/networks.ts";
import type { Host } from "../../host.ts";
import { needsAnotherContainer } from "../../reading/container-drift.ts";
import { releaseContainers } from "../../reading/read-release.ts";
import { renderRelease } from "../compose-project.ts";
import type { Placement } from "../compose-project.ts";

/**
 * Makes those workers anew that somebody made by hand: nothing is routed to them, so they need no release beside this
 * one. Compose itself goes by labels, which may have been copied.
 */
export async function recreateAlteredWorkers(
  host: Host,
  spec: ReleaseSpec,
  number: number,
  placements: readonly Placement[],
): Promise<void> {
  const containers = await host.containers.list(ownLabels(spec.app, "release", number));
  const all = await releaseContainers(host, spec, number, placements, containers);
  const altered = all.filter(
    (each) => spec.services[each.service]?.kind === "worker" && needsAnotherContainer(each.drift),
  );
  const keys = altered.map((each) => each.key);
  await host.compose.up(renderRelease(spec, number, placements, host.files), keys, undefined, true);
}
