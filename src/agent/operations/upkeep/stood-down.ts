import { labels } from "../../engine/containers.ts";
import type { Container } from "../../engine/containers.ts";
import { ownLabels } from "../../engine/networks.ts";
import type { Host } from "../../host.ts";

/** Containers of an app's releases; jobs, which run once, are left out. */
export async function runningParts(host: Host, app: string): Promise<Container[]> {
  const found = await host.containers.list(ownLabels(app, "release"));
  return found.filter((each) => each.Config.Labels?.[labels.hook] === undefined);
}

/** Whether a container belongs to this deployment. */
export function isOf(number: number | undefined): (container: Container) => boolean {
  return ({ Config }) => number !== undefined && Config.Labels?.[labels.deployment] === String(number);
}

/** The service that a container is of. */
export function serviceOf({ Config }: Container): string {
  return Config.Labels?.[labels.service] ?? "";
}

/** Whether two releases of what a container is of must never run at once. */
export function isAlone({ Config }: Container): boolean {
  return Config.Labels?.[labels.overlap] === "false";
}

/**
 * Stops containers so that they stay stopped, over a reboot too, and can be told from those that fell: their restart
 * policy is the mark. It is set first, so that a crash in between leaves it.
 */
export async function standDown(host: Host, containers: readonly Container[]): Promise<void> {
  const ends = await Promise.allSettled(
    containers.map(async ({ Id }) => {
      await host.containers.setRestart(Id, "no");
      await host.containers.stop(Id);
    }),
  );
  // Only now: what is still being stopped cannot be started again.
  const failed = ends.find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** Whether a container of a release was stopped by {@link standDown}, or was just going to be. */
export function isStoodDown({ HostConfig }: Container): boolean {
  return HostConfig.RestartPolicy.Name === "no";
}

/** Starts again what stood down. The mark goes last: whatever a crash cuts off is then done again. */
export async function standUp(host: Host, containers: readonly Container[]): Promise<void> {
  await Promise.all(
    containers.map(async ({ Id }) => {
      await host.containers.start(Id);
      await host.containers.setRestart(Id, "unless-stopped");
    }),
  );
}

/** Notes that something of the app's current release is about to stand down, so that it is not forgotten. */
export function markStandingDown(host: Host, app: string): void {
  if (!host.standingDown.has(app)) host.standingDown.set(app, performance.now());
}
