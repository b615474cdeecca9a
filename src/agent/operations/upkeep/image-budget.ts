import type { ImageLayers } from "../../engine/images.ts";
import type { Host } from "../../host.ts";
import type { LedgerDeployment } from "../../ledger/deployments.ts";
import { imagesNeeded, removeUnusedImages } from "./unused-images.ts";

const bytesPerGb = 1_000_000_000;

/** A deployment that may be given up for room, and its images. */
export interface Spare {
  app: string;
  number: number;
  images: readonly string[];
}

/**
 * Gives up deployments that are kept for a rollback, the oldest of the host first, until the images that the agent
 * brought fit into the budget. What serves and the last good deployment of each app stay, whatever they take.
 */
export async function keepWithinBudget(host: Host): Promise<void> {
  const apps = host.parts.apps();
  if (apps.every((app) => spareDeployments(host, app).length === 0)) return;
  const references = [...new Set(apps.flatMap((app) => host.imageUse.of(app)))];
  const layers = new Map(
    await Promise.all(references.map(async (each) => [each, await host.images.layers(each)] as const)),
  );
  // Nothing is waited for from here to the entries in the ledger, so that it is decided on what the ledger says now.
  const spares = apps
    .flatMap((app) => spareDeployments(host, app))
    .toSorted((a, b) => (a.endedAtMs ?? 0) - (b.endedAtMs ?? 0))
    .map(({ app, number }) => ({ app, number, images: imagesOf(host, app, number) }));
  const isSpare = (app: string, number: number): boolean =>
    spares.some((each) => each.app === app && each.number === number);
  const needed = apps.flatMap((app) => [...imagesNeeded(host, app, ({ number }) => !isSpare(app, number))]);
  const givenUp = beyondBudget(spares, needed, layers, host.settings.imageBudgetGb * bytesPerGb);
  for (const { app, number } of givenUp) host.deployments.giveUp(app, number);
  for (const app of new Set(givenUp.map((each) => each.app))) await removeUnusedImages(host, app);
}

/**
 * The first of `spares` that have to go so that what is needed and the others fit into so many bytes. A layer that
 * images share counts once; an image that is not on the host does not count.
 */
export function beyondBudget(
  spares: readonly Spare[],
  needed: readonly string[],
  layers: ReadonlyMap<string, ImageLayers>,
  budgetBytes: number,
): readonly Spare[] {
  const sizeOf = (images: readonly string[]): number => {
    const found = new Map(images.flatMap((each) => [...(layers.get(each) ?? [])]));
    return [...found.values()].reduce((sum, bytes) => sum + bytes, 0);
  };
  const fits = (from: number): boolean =>
    sizeOf([...needed, ...spares.slice(from).flatMap((each) => each.images)]) <= budgetBytes;
  let from = 0;
  while (from < spares.length && !fits(from)) from += 1;
  return spares.slice(0, from);
}

/** Good deployments but the newest, which is what a rollback goes back to. */
function spareDeployments(host: Host, app: string): LedgerDeployment[] {
  const good = host.deployments.kept(app).filter((each) => each.status === "good");
  return good.toSorted((a, b) => b.number - a.number).slice(1);
}

function imagesOf(host: Host, app: string, number: number): string[] {
  return Object.values(host.deployments.input(app, number)?.spec.services ?? {}).map((each) => each.image);
}
