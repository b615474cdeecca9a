import type { ReleaseSpec } from "../../../core/release/release-spec.ts";
import { edgeApp } from "../../edge-from-ledger.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { ReleaseInput } from "../../ledger/deployments.ts";
import { untilIdle } from "../upkeep/edge-idle.ts";
import { isAlone, isOf, markStandingDown, runningParts, serviceOf, standDown } from "../upkeep/stood-down.ts";

/** How long old connections may hold up a release that must not run beside the one before: all others wait meanwhile. */
const longestDrainSeconds = 5;

/**
 * Stops what must not run beside the coming release: with the strategy `replace` all of the one before, else workers
 * of which it or the coming one says so (`overlap: false`). All of it stays, to be started again if the release does not
 * come to serve.
 */
export async function makeWay(host: Host, input: ReleaseInput, number: number, op: OperationContext): Promise<void> {
  const { spec, strategy } = input;
  const alone = servicesAlone(spec);
  const current = host.deployments.current(spec.app);
  const before = current === undefined ? undefined : host.deployments.input(spec.app, current.number)?.spec;
  const isReplaced = strategy === "replace";
  // Known without asking the engine, so that it costs no other release anything.
  if (!isReplaced && alone.size === 0 && (before === undefined || servicesAlone(before).size === 0)) return;
  await op.enter("yielding");
  if (isReplaced && current !== undefined) {
    const coming = host.deployments.require(spec.app, number);
    await leaveEdge(host, spec, { before, isAwaited: current.servers.length > 0 && coming.servers.length > 0 }, op);
  }
  const others = (await runningParts(host, spec.app)).filter((each) => !isOf(number)(each));
  const yielding = others.filter((each) => isReplaced || isAlone(each) || alone.has(serviceOf(each)));
  if (yielding.length === 0) return;
  op.step("yield", `${namesOf(yielding.map(serviceOf))} of the release before ends, to start again if this one fails`);
  markStandingDown(host, spec.app);
  await standDown(host, yielding);
}

/** Before workers of the release are put up again: what a clean-up has left of others, of which there may be only one. */
export async function endOthersAlone(host: Host, spec: ReleaseSpec, number: number): Promise<void> {
  const alone = servicesAlone(spec);
  if (alone.size === 0) return;
  const others = (await runningParts(host, spec.app)).filter((each) => !isOf(number)(each));
  await standDown(
    host,
    others.filter((each) => isAlone(each) || alone.has(serviceOf(each))),
  );
}

/** From here on nothing serves. New requests wait at the edge, where something is to come for them; what the old release has begun, it may end. */
async function leaveEdge(
  host: Host,
  { app, drainSeconds }: ReleaseSpec,
  { before, isAwaited }: { before: ReleaseSpec | undefined; isAwaited: boolean },
  op: OperationContext,
): Promise<void> {
  markStandingDown(host, app);
  // A hold ends when servers come; where none do it would stay.
  if (isAwaited) await host.edge.hold(app);
  await host.edge.switchTo({ ...edgeApp(host, app), servers: [] });
  const seconds = Math.min(longestDrainSeconds, drainSeconds, before?.drainSeconds ?? drainSeconds);
  await untilIdle(host, app, () => true, { seconds, signal: op.signal });
}

/** Services of which no two releases may run at once. */
function servicesAlone({ services }: Pick<ReleaseSpec, "services">): Set<string> {
  return new Set(Object.keys(services).filter((name) => services[name]?.overlap === false));
}

function namesOf(services: readonly string[]): string {
  return [...new Set(services)].sort().join(", ");
}
