import type { Host } from "../../host.ts";
import { restoreRouting } from "./converge.ts";
import { isAlone, isOf, isStoodDown, runningParts, serviceOf, standUp } from "./stood-down.ts";

/**
 * Brings the current release back to where it was before another one was to take its place: the edge first, then what
 * had stood down for that. Nothing of the app may be on its way up. Whatever this is cut off in is done again.
 */
export async function bringBack(host: Host, app: string): Promise<void> {
  try {
    await restoreRouting(host, app);
  } finally {
    await workAgain(host, app);
  }
}

/** Whether something of the current release stood down, for a deploy of which this agent knows nothing any more. */
export async function findStoodDown(host: Host, app: string): Promise<void> {
  const current = host.deployments.current(app)?.number;
  const found = await runningParts(host, app);
  if (found.some((each) => isOf(current)(each) && isStoodDown(each))) host.standingDown.add(app);
}

/** Ends what took the place of the workers that stood down, then starts those again: never two at once. */
export async function workAgain(host: Host, app: string): Promise<string[]> {
  if (!host.standingDown.has(app)) return [];
  const current = host.deployments.current(app)?.number;
  const found = await runningParts(host, app);
  const waiting = found.filter((each) => isOf(current)(each) && isStoodDown(each));
  const services = new Set(waiting.map(serviceOf));
  const others = found.filter((each) => !isOf(current)(each) && (isAlone(each) || services.has(serviceOf(each))));
  // Removed, not only stopped: a start that the engine had been asked for before the agent died may still be coming.
  await Promise.all(others.map((each) => host.containers.stopAndRemove(each.Id)));
  await standUp(host, waiting);
  host.standingDown.delete(app);
  return [...services].sort();
}
