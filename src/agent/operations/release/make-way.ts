import type { ReleaseSpec } from "../../../core/release/release-spec.ts";
import type { Host, OperationContext } from "../../host.ts";
import { isAlone, isOf, runningParts, serviceOf, standDown } from "../upkeep/stood-down.ts";

/**
 * Stops what must not run beside the coming release: workers of other releases that say so themselves, or of which the
 * coming one says it (`overlap: false`). They stay, to be started again if the release does not come to serve.
 */
export async function makeWay(host: Host, spec: ReleaseSpec, number: number, op: OperationContext): Promise<void> {
  const alone = servicesAlone(spec);
  const current = host.deployments.current(spec.app);
  const before = current === undefined ? undefined : host.deployments.input(spec.app, current.number)?.spec;
  // Known without asking the engine, so that it costs no other release anything.
  if (alone.size === 0 && (before === undefined || servicesAlone(before).size === 0)) return;
  await op.enter("yielding");
  const others = (await runningParts(host, spec.app)).filter((each) => !isOf(number)(each));
  const yielding = others.filter((each) => isAlone(each) || alone.has(serviceOf(each)));
  if (yielding.length === 0) return;
  op.step("yield", `${namesOf(yielding.map(serviceOf))} of the release before ends, to start again if this one fails`);
  host.standingDown.add(spec.app);
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

/** Services of which no two releases may run at once. */
export function servicesAlone({ services }: Pick<ReleaseSpec, "services">): Set<string> {
  return new Set(Object.keys(services).filter((name) => services[name]?.overlap === false));
}

function namesOf(services: readonly string[]): string {
  return [...new Set(services)].sort().join(", ");
}
