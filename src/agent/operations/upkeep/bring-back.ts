import { edgeApp } from "../../edge-from-ledger.ts";
import type { Container } from "../../engine/containers.ts";
import { ownLabels } from "../../engine/networks.ts";
import { restartCounts, waitUntilHealthy } from "../../gate/health-gate.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { LedgerDeployment } from "../../ledger/deployments.ts";
import { place } from "../compose-project.ts";
import { gateTargets } from "../release/release-start.ts";
import { restoreRouting } from "./converge.ts";
import { untilIdle } from "./edge-idle.ts";
import { isAlone, isOf, isStoodDown, markStandingDown, runningParts, serviceOf, standUp } from "./stood-down.ts";

/** How long visitors wait for a release that starts again, at most, before the edge is told of it whatever it answers. */
const longestGateSeconds = 30;
/** How long the requests that are still with the release that goes may hold that up. */
const longestDrainSeconds = 5;

/**
 * Brings the current release back to where it was before another one was to take its place: the edge first, then what
 * had stood down for that. Nothing of the app may be on its way up. Whatever this is cut off in is done again.
 */
export async function bringBack(host: Host, app: string): Promise<void> {
  try {
    await serveAgain(host, app);
  } finally {
    await workAgain(host, app);
  }
}

/** Looks whether something of the current release stood down for a deploy of which this agent knows nothing any more. */
export async function findStoodDown(host: Host, app: string): Promise<void> {
  // Until it is known: where the engine does not answer now, the sweep looks again.
  markStandingDown(host, app);
  const { waiting } = await partsOf(host, app);
  if (waiting.length === 0) host.standingDown.delete(app);
}

/**
 * The edge as the ledger has it. Where some of the web stood down, what took its place ends first, then it starts again.
 * Those of it that run get the requests meanwhile; where there are none, requests wait.
 */
export async function serveAgain(host: Host, app: string): Promise<void> {
  if (host.standingDown.has(app)) {
    const { current, waiting, others, running } = await partsOf(host, app);
    const webs = waiting.filter((each) => isOnEdge(current, each));
    if (current !== undefined && webs.length > 0) {
      const left = current.servers.filter((each) => running.some((one) => addressesOf(one).includes(each.address)));
      const canServe = current.servers.every((each) => left.some(({ service }) => service === each.service));
      if (!canServe) await host.edge.hold(app);
      await host.edge.switchTo({ ...edgeApp(host, app), servers: canServe ? left : [] });
      await untilIdle(host, app, ({ name }) => !left.some((each) => each.name === name), {
        seconds: longestDrainSeconds,
      });
      await Promise.all(others.map((each) => host.containers.stopAndRemove(each.Id)));
      await standUp(host, webs);
      await untilHealthy(host, current);
    }
  }
  await restoreRouting(host, app);
}

/** Ends what took the place of the workers that stood down, then starts those again: never two at once. */
export async function workAgain(host: Host, app: string): Promise<string[]> {
  if (!host.standingDown.has(app)) return [];
  const { waiting, others } = await partsOf(host, app);
  const services = new Set(waiting.map(serviceOf));
  const inPlace = others.filter((each) => isAlone(each) || services.has(serviceOf(each)));
  // Removed, not only stopped: a start that the engine had been asked for before the agent died may still be coming.
  await Promise.all(inPlace.map((each) => host.containers.stopAndRemove(each.Id)));
  await standUp(host, waiting);
  host.standingDown.delete(app);
  return [...services].sort();
}

interface Parts {
  current: LedgerDeployment | undefined;
  /** Of the current release: what stood down. */
  waiting: Container[];
  /** Of the current release: what runs. */
  running: Container[];
  /** Of every other release. */
  others: Container[];
}

async function partsOf(host: Host, app: string): Promise<Parts> {
  const current = host.deployments.current(app);
  const isOwn = isOf(current?.number);
  const found = await runningParts(host, app);
  return {
    current,
    waiting: found.filter((each) => isOwn(each) && isStoodDown(each)),
    running: found.filter((each) => isOwn(each) && each.State.Running && !isStoodDown(each)),
    others: found.filter((each) => !isOwn(each)),
  };
}

/** Whether requests go to the service that a container is of. */
function isOnEdge(deployment: LedgerDeployment | undefined, container: Container): boolean {
  return deployment?.servers.some((each) => each.service === serviceOf(container)) === true;
}

function addressesOf({ NetworkSettings }: Container): string[] {
  return Object.values(NetworkSettings.Networks).map((each) => each.IPAddress);
}

/** It was good before, so that it is not yet ready is no reason to leave it off the edge for long. */
async function untilHealthy(host: Host, { app, number, subnet }: LedgerDeployment): Promise<void> {
  const spec = host.deployments.input(app, number)?.spec;
  if (spec === undefined || subnet === undefined) return;
  const webs = place(spec.services, subnet).filter((each) => spec.services[each.service]?.kind === "web");
  const health = { ...spec.health, timeoutSeconds: Math.min(spec.health.timeoutSeconds, longestGateSeconds) };
  try {
    const before = await restartCounts(host.containers, ownLabels(app, "release", number));
    const targets = await gateTargets(host, spec, number, webs, before);
    await waitUntilHealthy(host.containers, targets, health, unattended);
  } catch {
    // The reason may quote what the app says, and there is nobody here to take secrets out of it.
    host.log.error({ app, number }, "the release was started again and is not healthy; the edge sends requests to it");
  }
}

/** For a gate that nobody watches. */
const unattended: OperationContext = {
  key: "",
  by: "",
  signal: new AbortController().signal,
  enter: () => Promise.resolve(),
  step: () => undefined,
  warn: () => undefined,
  log: () => undefined,
  redact: () => "",
};
