import { canarySteps } from "../../../core/release/release-spec.ts";
import { bake } from "../../gate/bake.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { LedgerDeployment, ReleaseInput } from "../../ledger/deployments.ts";
import type { Placement } from "../compose-project.ts";
import { gateTargets } from "./release-start.ts";

/**
 * Gives the release its visitors step by step, and watches it with each as in the bake time. Nothing is decided by that:
 * the ledger says as before who serves, so that whatever cuts it off goes back.
 *
 * @throws IkomaError RELEASE_BAKE_FAILED as soon as it is bad
 */
export async function runCanary(
  host: Host,
  input: ReleaseInput,
  deployment: LedgerDeployment,
  placements: readonly Placement[],
  op: OperationContext,
): Promise<void> {
  const { spec, strategy, rollbackTo, bake: policy } = input;
  const steps = canarySteps(strategy);
  const before = host.deployments.current(spec.app);
  if (steps.length === 0 || before === undefined) return;
  if (rollbackTo !== undefined) {
    op.step("canary", "left out: a rollback goes to what was good, and away from what may be bad");
    return;
  }
  await op.enter("shifting");
  const { servers } = host.deployments.require(spec.app, deployment.number);
  const webs = placements.filter((each) => spec.services[each.service]?.kind === "web");
  const targets = await gateTargets(host, spec, deployment.number, webs, new Map());
  for (const { percent, seconds } of steps) {
    const sharing = await host.edge.share(spec.app, servers, percent);
    if (sharing.length === 0) {
      op.warn("canary", `left out: no service and port of #${before.number} is one of #${deployment.number} too`);
      return;
    }
    op.step("canary", `${percent} % of the requests go to #${deployment.number}, for ${seconds} s`);
    const watched = { app: spec.app, policy: { ...policy, seconds }, health: spec.health, targets, servers: sharing };
    await bake(host, watched, op);
  }
}
