import type { Result } from "../../../agent/protocol/methods.ts";
import type { OperationResult } from "../../../agent/protocol/operations.ts";
import { formatBytes } from "../../output/quantities.ts";

/** What the host says of a removed app. */
export type Leftovers = Result<"app.leftovers">;

/** Names of the volumes that a purge deletes. */
export function deletable({ volumes }: Leftovers): string[] {
  return volumes.filter(({ kept }) => kept === undefined).map(({ name }) => name);
}

/** Whether there is nothing to delete. */
export function isNothing(left: Leftovers): boolean {
  return deletable(left).length + left.images.length + left.deployments === 0;
}

/** Exactly what will be deleted, and what stays with the reason. */
export function renderLeftovers(app: string, host: string, left: Leftovers): string {
  if (isNothing(left)) return "";
  const lines = left.volumes.map(({ name, bytes, kept }) => {
    const size = bytes === undefined ? "size not known" : formatBytes(bytes);
    return kept === undefined
      ? `  volume ${name}, ${size}, with all data in it`
      : `  (stays: volume ${name}, ${size}: ${kept})`;
  });
  return [
    `To be deleted of ${app} on ${host}:`,
    ...lines,
    ...left.images.map((reference) => `  image ${reference}`),
    `  the history of ${left.deployments} deployments`,
    ...(left.backups === 0
      ? []
      : [`  (stay: ${left.backups} backups of its database, in /var/lib/ikoma/backups/${app})`]),
    "",
  ].join("\n");
}

/** How it ended. */
export function renderPurged(app: string, host: string, result: OperationResult<"app.purge">): string {
  const { volumes, images, deployments } = result;
  if (volumes.length + images + deployments === 0) return `Nothing is left of ${app} on ${host}.`;
  return `Deleted of ${app} on ${host}: ${volumes.join(", ") || "no volume"}; ${images} images; ${deployments} deployments of history.`;
}
