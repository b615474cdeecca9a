import { changesAnything, type DeployPlan } from "../../../core/deployer/deploy-plan.ts";
import { planDigest, requirePlan } from "../../../core/deployer/plan-digest.ts";
import type { Clearance } from "../../../core/policies/change-guard.ts";
import { confirm } from "../../confirm.ts";
import type { GlobalArguments } from "../../global-options.ts";
import { colorsFor } from "../../output/colors.ts";
import { renderPlan } from "../../output/plan-view.ts";
import { planUnseen, runShown, type DeploySession, type ShownRun } from "./deploy-session.ts";

/** What has to be so before a plan is applied. */
export interface LeaveConditions {
  /** Asked on the terminal, unless `--yes` answers it. */
  readonly question: string;
  /** Digest of the one plan that may be applied. */
  readonly plan?: string | undefined;
  /** Whether the stack's policy on approvals does not hold for this. */
  readonly needsNoApprovals?: boolean | undefined;
}

/** That a plan may be applied, and by whose word. */
export interface Leave {
  readonly clearance: Clearance;
  readonly approvedBy: readonly string[];
  /** Holds the run to that plan still, when it had to wait for another one; undefined where no plan was made. */
  readonly beforeAnother?: () => Promise<void>;
}

/**
 * Makes a plan, and lets it be applied if it is the one that was named, has the approvals that the policy asks for, and
 * somebody says yes. Where nothing of that is asked for there is no plan to be made: the run itself tells what it does.
 *
 * @returns undefined where nothing would change, not even the pin, and somebody was to be asked
 * @throws PLAN_CHANGED, APPROVAL_MISSING, CANCELLED; nothing was changed then
 */
export async function leaveToApply(
  session: DeploySession,
  run: Pick<ShownRun, "edit" | "onlyApp" | "notes" | "clearance">,
  argv: GlobalArguments,
  conditions: LeaveConditions,
): Promise<Leave | undefined> {
  const approvals = conditions.needsNoApprovals === true ? undefined : session.settings.policy?.approvals;
  if (argv.yes && conditions.plan === undefined && approvals === undefined)
    return { clearance: { isApproved: true }, approvedBy: [] };
  const { plan } = await runShown(session, { operation: "preview", ...run }, argv);
  if (!argv.yes) showPlan(session, plan, argv);
  if (conditions.plan !== undefined) requireShown(session, plan, conditions.plan, argv);
  const needed = approvals !== undefined && changesAnything(plan);
  const approvedBy = needed ? await approversOf(session, plan, run.edit) : [];
  if (!argv.yes) {
    if (!changesAnything(plan) && run.edit === undefined) return undefined;
    await confirm(conditions.question, session.signal);
    // Somebody took their time over it: what they said yes to is still what would be done, or is refused.
    const now = await runShown(session, { operation: "preview", ...run }, argv);
    requireShown(session, now.plan, planDigest(plan), argv);
  }
  const beforeAnother = async (): Promise<void> => {
    requireShown(session, await planUnseen(session, run), planDigest(plan), argv);
  };
  return { clearance: { isApproved: true }, approvedBy, beforeAnother };
}

/** @throws PLAN_CHANGED, after the plan as it is now was shown */
function requireShown(session: DeploySession, plan: DeployPlan, digest: string, argv: GlobalArguments): void {
  try {
    requirePlan(plan, digest);
  } catch (error) {
    showPlan(session, plan, argv);
    throw error;
  }
}

/** @throws APPROVAL_MISSING */
async function approversOf(
  session: DeploySession,
  plan: DeployPlan,
  edit: ShownRun["edit"],
): Promise<readonly string[]> {
  const [{ readApprovals }, { requireApprovals }] = await Promise.all([
    import("./approvals.ts"),
    import("../../../core/deployer/plan-approvals.ts"),
  ]);
  const { count, thing } = await readApprovals(session, plan, edit);
  requireApprovals(count, thing);
  return count.approvedBy;
}

function showPlan({ progress }: DeploySession, plan: DeployPlan, argv: GlobalArguments): void {
  progress.close();
  process.stderr.write(`\n${renderPlan(plan, colorsFor(process.stderr, argv))}\n`);
}
