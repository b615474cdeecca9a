import { setTimeout as sleep } from "node:timers/promises";
import { IkomaError } from "../../core/errors.ts";
import { backendName, routeEntries } from "./edge-names.ts";
import type { RunCommand } from "./haproxy-sockets.ts";
import { setHeld } from "./held-requests.ts";
import { replaceEntries } from "./runtime-map.ts";
import { perform, publicServers } from "./runtime-servers.ts";
import { findMap } from "./runtime-state.ts";
import { planShare } from "./share-plan.ts";
import { neededBackends, planSwitch } from "./switch-plan.ts";
import type { EdgeApp, EdgeServer } from "./edge.ts";

const pollMs = 20;

/** Gives an app's requests to other servers, held ones included; those that had them until then are drained. */
export async function switchServers(run: RunCommand, app: EdgeApp, signal: AbortSignal): Promise<void> {
  const plan = planSwitch(await publicServers(run, app.app), app);
  await perform(run, [...plan.prepare, ...plan.activate]);
  await untilServed(run, app, signal);
  const maps = await run("show map");
  await replaceEntries(run, findMap(maps, "routes"), app.app, routeEntries(app));
  if (app.servers.length > 0) await setHeld(run, findMap(maps, "held"), app.app, false);
  await perform(run, plan.drain);
}

/** Gives newcomers their share of an app's requests. @returns the names of those that get some */
export async function shareRequests(
  run: RunCommand,
  app: string,
  newcomers: readonly EdgeServer[],
  percent: number,
): Promise<string[]> {
  const { commands, sharing } = planShare(app, await publicServers(run, app), newcomers, percent);
  await perform(run, commands);
  return sharing;
}

/** Has an app's requests wait, until the next switch. */
export async function holdRequests(run: RunCommand, app: string): Promise<void> {
  await setHeld(run, findMap(await run("show map"), "held"), app, true);
}

/** An added server is up at once; one that was already there may have to pass a check first. */
async function untilServed(run: RunCommand, app: EdgeApp, signal: AbortSignal): Promise<void> {
  for (;;) {
    const servers = await publicServers(run, app.app);
    const isUp = (backend: string): boolean =>
      app.servers.some(
        (wanted) =>
          backendName(app.app, wanted) === backend &&
          servers.some((each) => each.backend === backend && each.name === wanted.name && each.state === "ready"),
      );
    const missing = neededBackends(app).filter((backend) => !isUp(backend));
    if (missing.length === 0) return;
    if (signal.aborted)
      throw new IkomaError(
        "EDGE_FAILED",
        `HAProxy finds no server up for ${missing.join(", ")}; the ones before serve on.`,
      );
    await Promise.race([sleep(pollMs), aborted(signal)]);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    signal.addEventListener(
      "abort",
      () => {
        done();
      },
      { once: true },
    );
  });
}
