import type { Container } from "../../engine/containers.ts";
import { labels } from "../../engine/containers.ts";
import type { Host } from "../../host.ts";

/** Name that compose gives the container of a service of a project. */
export function containerName(project: string, key: string): string {
  return `${project}-${key}-1`;
}

/**
 * The container that has the name of one of the agent's and none of its labels: somebody made it by hand, in place of
 * the real one. Undefined where there is none.
 */
export async function impostorOf(host: Host, project: string, key: string): Promise<Container | undefined> {
  const found = await host.containers.inspect(containerName(project, key));
  return found === undefined || found.Config.Labels?.[labels.app] !== undefined ? undefined : found;
}

/** Stops and removes those that stand in for services of a project: compose could not use their names. Volumes stay. */
export async function removeImpostors(host: Host, project: string, keys: readonly string[]): Promise<void> {
  await Promise.all(
    keys.map(async (key) => {
      const impostor = await impostorOf(host, project, key);
      if (impostor === undefined) return;
      host.log.warn(
        { container: impostor.Name },
        "a container that was made by hand in place of the agent's is removed",
      );
      await host.containers.stopAndRemove(impostor.Id);
    }),
  );
}
