import { setTimeout as sleep } from "node:timers/promises";
import type { EdgeServerState } from "../../edge/edge.ts";
import type { Host } from "../../host.ts";

const pollMs = 50;

/** Waits until nothing is open on these servers of the app, so many seconds at most. */
export async function untilIdle(
  host: Host,
  app: string,
  isMeant: (server: EdgeServerState) => boolean,
  { seconds, signal }: { seconds: number; signal?: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  const isBusy = async (): Promise<boolean> => {
    const servers = await host.edge.draining(app, []);
    return servers.some((each) => isMeant(each) && each.connections > 0);
  };
  while (performance.now() < deadline && (await isBusy())) await sleep(pollMs, undefined, signal && { signal });
}
