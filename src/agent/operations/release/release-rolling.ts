import { maxParallel } from "../../../core/release/release-spec.ts";
import type { ReleaseSpec } from "../../../core/release/release-spec.ts";
import { edgeApp } from "../../edge-from-ledger.ts";
import type { EdgeServer } from "../../edge/edge.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { LedgerDeployment, ReleaseInput } from "../../ledger/deployments.ts";
import { composeKey } from "../../reading/composed-drift.ts";
import { place } from "../compose-project.ts";
import type { Placement } from "../compose-project.ts";
import { untilIdle } from "../upkeep/edge-idle.ts";
import { isOf, markStandingDown, runningParts, standDown } from "../upkeep/stood-down.ts";
import { startWebs } from "./release-start.ts";

/**
 * The web containers of a release in the order in which they are started: all at once, or, where it rolls, so many of
 * each service at a time. An app's first release takes nobody's place, so nothing is gained by going slowly.
 */
export function roundsOf(host: Host, input: ReleaseInput, placements: readonly Placement[]): Placement[][] {
  const { spec, strategy } = input;
  const webs = placements.filter((each) => spec.services[each.service]?.kind === "web");
  const atOnce = maxParallel(strategy);
  if (atOnce === undefined || host.deployments.current(spec.app) === undefined) return [webs];
  const rounds = Math.max(1, ...webs.map(({ replica }) => Math.ceil(replica / atOnce)));
  return Array.from({ length: rounds }, (_, index) =>
    webs.filter(({ replica }) => Math.ceil(replica / atOnce) === index + 1),
  );
}

/**
 * Puts the containers of each round beside those of the old release, then takes as many of those away. The first round
 * runs already. The last old one of each service stays until the release is decided, so that there is at any time
 * something to go back to at once.
 */
export async function rollOver(
  host: Host,
  input: ReleaseInput,
  deployment: LedgerDeployment,
  placements: readonly Placement[],
  op: OperationContext,
): Promise<void> {
  const { app } = input.spec;
  const old = host.deployments.current(app);
  const before = old === undefined ? undefined : host.deployments.input(app, old.number)?.spec;
  const rounds = roundsOf(host, input, placements);
  if (maxParallel(input.strategy) === undefined || old?.subnet === undefined || before === undefined) return;
  await op.enter("rolling");
  const rolling = { old, before, oldWebs: websOf(before, old.subnet), deployment };
  let up: Placement[] = [];
  for (const round of rounds) {
    const isFirst = up.length === 0;
    up = [...up, ...round];
    // All of them, so that one that fell meanwhile is seen.
    if (!isFirst) await startWebs(host, input.spec, deployment.number, { placements, webs: up }, op);
    await takePlaces(host, app, { ...rolling, up }, op);
    op.step("rolling", `${up.length} of ${rounds.flat().length} serve`);
  }
}

interface Rolling {
  old: LedgerDeployment;
  before: ReleaseSpec;
  oldWebs: readonly Placement[];
  deployment: LedgerDeployment;
  up: readonly Placement[];
}

/** Brings the edge to those that are up, and ends as many of the old ones, once nothing is open on them any more. */
async function takePlaces(
  host: Host,
  app: string,
  { old, before, oldWebs, deployment, up }: Rolling,
  op: OperationContext,
): Promise<void> {
  const { servers } = host.deployments.require(app, deployment.number);
  const joining = servers.filter((each) => up.some(({ address }) => address === each.address) && isServed(old, each));
  const leaving = oldWebs.filter(({ service, replica }) => replica > oldLeft(service, oldWebs, joining));
  const isLeaving = (each: EdgeServer): boolean => leaving.some(({ address }) => address === each.address);
  const staying = old.servers.filter((each) => !isLeaving(each));
  markStandingDown(host, app);
  await host.edge.switchTo({ ...edgeApp(host, app), servers: [...staying, ...joining] });
  const names = old.servers.filter(isLeaving).map((each) => each.name);
  await untilIdle(host, app, ({ name }) => names.includes(name), { seconds: before.drainSeconds, signal: op.signal });
  const containers = (await runningParts(host, app)).filter(isOf(old.number));
  await standDown(
    host,
    containers.filter((each) => each.State.Running && leaving.some(({ key }) => key === composeKey(each))),
  );
}

/** How many of a service of the old release stay: one at least. */
function oldLeft(service: string, oldWebs: readonly Placement[], joining: readonly EdgeServer[]): number {
  const count = oldWebs.filter((each) => each.service === service).length;
  const taken = new Set(joining.filter((each) => each.service === service).map((each) => each.address)).size;
  return Math.max(1, count - taken);
}

/** Whether the old release has a server of this service and port: only then requests come to a new one beside it. */
function isServed(old: LedgerDeployment, { service, port }: EdgeServer): boolean {
  return old.servers.some((each) => each.service === service && each.port === port);
}

function websOf({ services }: ReleaseSpec, subnet: string): Placement[] {
  return place(services, subnet).filter((each) => services[each.service]?.kind === "web");
}
