import { accessoriesSpec } from "../../../core/release/release-spec.ts";
import type { Host } from "../../host.ts";
import type { LedgerDeployment } from "../../ledger/deployments.ts";
import { operations } from "../../protocol/operations.ts";

const stageInput = operations["bundle.stage"].input;

/** Images of deployments that can no longer be rolled back to, unless something else of the app needs them. */
export async function removeUnusedImages(host: Host, app: string): Promise<void> {
  const current = host.deployments.current(app);
  const keep = current === undefined ? 0 : (host.deployments.input(app, current.number)?.keep ?? 0);
  host.deployments.prune(app, keep);
  let needed = imagesNeeded(host, app);
  for (const reference of host.imageUse.of(app)) {
    if (needed.has(reference) || !host.imageUse.drop(app, reference)) continue;
    await host.images.remove(reference);
    // Meanwhile one of the next may have been staged.
    needed = imagesNeeded(host, app);
  }
}

/** Images that must stay for the app: of those deployments that are kept, its accessories, and its next deploy. */
export function imagesNeeded(
  host: Pick<Host, "deployments" | "parts">,
  app: string,
  isKept: (deployment: LedgerDeployment) => boolean = () => true,
): Set<string> {
  const kept = host.deployments.kept(app).filter(isKept);
  const specs = [
    ...kept.map((each) => host.deployments.input(app, each.number)?.spec),
    host.parts.get(app, "accessories", accessoriesSpec),
  ];
  const inUse = specs.flatMap((spec) => Object.values(spec?.services ?? {}).map((each) => each.image));
  // Staged for a deploy that may be about to begin.
  return new Set([...inUse, ...(host.parts.get(app, "bundle", stageInput)?.images ?? [])]);
}
