import type { DeployPlan } from "../../../core/deployer/deploy-plan.ts";
import {
  changedApps,
  countApprovals,
  thingToApprove,
  type ApprovalCount,
} from "../../../core/deployer/plan-approvals.ts";
import { IkomaError } from "../../../core/errors.ts";
import type { ApprovedThing, SignedApproval } from "../../../core/policies/approval.ts";
import type { ApprovalPolicy } from "../../../core/policies/policy-config.ts";
import { hostOf, type AppEdit, type StackSettings } from "../../../core/project/deploy-stack-file.ts";
import { withAgent } from "../../host-agent.ts";
import type { DeploySession } from "./deploy-session.ts";

/** What a plan's approvals come to, and what they are bound to. */
export interface PlanApprovals {
  readonly count: ApprovalCount;
  readonly thing: ApprovedThing;
}

/**
 * The approvals of a plan, as the hosts keep them whose apps it changes.
 *
 * @throws what reaching a host throws; CONFIG_MISSING where the stack's policy asks for none
 */
export async function readApprovals(
  { project, settings }: Pick<DeploySession, "project" | "settings">,
  plan: DeployPlan,
  edit: AppEdit | undefined,
): Promise<PlanApprovals> {
  const policy = approvalPolicy(settings);
  const thing = await thingToApprove(project, settings, plan, edit);
  const kept = await Promise.all(changedApps(plan).map((app) => listApprovals(settings, app)));
  return { count: await countApprovals(kept.flat(), thing, policy, Date.now()), thing };
}

/** Has each app's host keep an approval. */
export async function keepApproval(
  settings: StackSettings,
  apps: readonly string[],
  approval: SignedApproval,
): Promise<void> {
  for (const app of apps)
    await withAgent(hostOf(settings, app), (agent) => agent.call("approvals.add", { app, approval }));
}

/** @throws CONFIG_MISSING where the stack's policy asks for none */
export function approvalPolicy({ policy }: StackSettings): ApprovalPolicy {
  if (policy?.approvals !== undefined) return policy.approvals;
  throw new IkomaError("CONFIG_MISSING", "The stack's policy asks for no approvals.", {
    hint: "`ikoma:policy.approvals` says how many, and whose; see the reference of settings.",
  });
}

/** An app that was taken out of the settings has no host there: what it was approved with is with the others. */
async function listApprovals(settings: StackSettings, app: string): Promise<SignedApproval[]> {
  if (settings.apps[app] === undefined) return [];
  const { approvals } = await withAgent(hostOf(settings, app), (agent) => agent.call("approvals.list", { app }));
  return approvals;
}
