import type { DeployPlan } from "../../../core/deployer/deploy-plan.ts";
import { changedApps, type ApprovalCount } from "../../../core/deployer/plan-approvals.ts";
import { windowState } from "../../../core/policies/deploy-windows.ts";
import type { AppEdit } from "../../../core/project/deploy-stack-file.ts";
import { toIkomaError } from "../../../core/errors.ts";
import type { Colors } from "../../output/colors.ts";
import type { DeploySession } from "./deploy-session.ts";

/** How a plan stands to the stack's policy now. */
export interface PolicyState {
  /** Apps that may not be changed now. */
  readonly closed: readonly { readonly app: string; readonly reason: string; readonly opensAt: string | undefined }[];
  /** Undefined where none are asked for, or the plan changes nothing. */
  readonly approvals: ApprovalCount | { readonly error: string } | undefined;
}

/** Looks at the clock, and at the approvals that the apps' hosts keep. A host that cannot be asked is told, and no failure. */
export async function readPolicyState(
  session: DeploySession,
  plan: DeployPlan,
  edit: AppEdit | undefined,
): Promise<PolicyState> {
  const { policy } = session.settings;
  const apps = changedApps(plan);
  const closed = apps.flatMap((app) => {
    const state = windowState(policy?.windows ?? [], Date.now(), app);
    if (state.isOpen) return [];
    const { reason, opensAtMs } = state;
    return [{ app, reason, opensAt: opensAtMs === undefined ? undefined : new Date(opensAtMs).toISOString() }];
  });
  if (policy?.approvals === undefined || apps.length === 0) return { closed, approvals: undefined };
  const { readApprovals } = await import("./approvals.ts");
  const approvals = await readApprovals(session, plan, edit).then(
    ({ count }) => count,
    (error: unknown) => ({ error: toIkomaError(error).message }),
  );
  return { closed, approvals };
}

/** For people; no line where nothing is in the way. */
export function renderPolicyState({ closed, approvals }: PolicyState, colors: Colors): string[] {
  const note = colors.yellow("note");
  const windows = closed.map(
    ({ app, reason, opensAt }) =>
      `${note} ${app} may not be changed now: ${reason}. Next: ${opensAt ?? "not within the next month"}.`,
  );
  if (approvals === undefined) return windows;
  if ("error" in approvals) return [...windows, `${note} Approvals are not known: ${approvals.error}`];
  const { required, approvedBy, refused } = approvals;
  const by = approvedBy.length === 0 ? "" : ` (${approvedBy.join(", ")})`;
  const not = refused.length === 0 ? "" : ` Not counted: ${refused.join("; ")}.`;
  return [...windows, `${note} Approved by ${approvedBy.length} of ${required}${by}.${not}`];
}
