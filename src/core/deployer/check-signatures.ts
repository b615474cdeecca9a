import { operations } from "../../agent/protocol/operations.ts";
import { toIkomaError, type ErrorCode } from "../errors.ts";
import type { AgentClient } from "../transport/agent-client.ts";
import type { DeployPlan } from "./deploy-plan.ts";
import type { DeployRunResult } from "./deploy-run.ts";

const verdicts: readonly ErrorCode[] = ["BUNDLE_UNSIGNED", "BUNDLE_SIGNATURE_INVALID"];

/** Uses the agent of an app's host. */
export type AgentOf = (app: string, use: (agent: AgentClient) => Promise<void>) => Promise<void>;

/**
 * Asks each host, at the plan already, whether it would take the bundle that it is to be given: with its own keys, by
 * the same check as when it is staged. What is to run is checked there at the release.
 *
 * @throws IkomaError BUNDLE_UNSIGNED, BUNDLE_SIGNATURE_INVALID
 */
export async function checkSignatures(
  { plan, staged }: Pick<DeployRunResult, "plan" | "staged">,
  isRollback: boolean,
  agentOf: AgentOf,
): Promise<void> {
  const checks = Object.entries(staged).map(async ([app, inputs]) => {
    // Values that a preview does not know yet make it something else: the host will tell.
    const { success, data } = operations["bundle.stage"].input.safeParse(inputs);
    if (!success) return;
    const isKnownEnough = isRollback || !isDeployedAnew(plan, app);
    try {
      await agentOf(app, async (agent) => {
        await agent.call("bundle.check", { stage: data, isKnownEnough });
      });
    } catch (thrown) {
      // A host that cannot be asked now says it when it is deployed to.
      if (verdicts.includes(toIkomaError(thrown).code)) throw thrown;
    }
  });
  await Promise.all(checks);
}

/** A change of what is only noted down deploys nothing. */
function isDeployedAnew({ entries }: DeployPlan, app: string): boolean {
  return entries.some(
    ({ part, services, ...entry }) =>
      part === "release" && entry.app === app && Object.values(services).some((effect) => effect.startsWith("starts")),
  );
}
