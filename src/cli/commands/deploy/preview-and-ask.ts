import { changesAnything } from "../../../core/deployer/deploy-plan.ts";
import { requirePlan } from "../../../core/deployer/plan-digest.ts";
import { confirm } from "../../confirm.ts";
import type { GlobalArguments } from "../../global-options.ts";
import { colorsFor } from "../../output/colors.ts";
import { renderPlan } from "../../output/plan-view.ts";
import { runShown, type DeploySession, type ShownRun } from "./deploy-session.ts";

/**
 * Shows the plan on the terminal and asks whether to go on.
 *
 * @returns false where nothing would change, not even the pin: there is nothing to ask then
 * @throws CANCELLED where the answer is no
 */
export async function previewAndAsk(
  session: DeploySession,
  { edit, onlyApp }: Pick<ShownRun, "edit" | "onlyApp">,
  argv: GlobalArguments,
  question: string,
): Promise<boolean> {
  const { plan } = await runShown(session, { operation: "preview", edit, onlyApp }, argv);
  session.progress.close();
  process.stderr.write(`\n${renderPlan(plan, colorsFor(process.stderr, argv))}\n`);
  if (!changesAnything(plan) && edit === undefined) return false;
  await confirm(question, session.signal);
  return true;
}

/**
 * Plans anew, and goes on only if that is the plan that was approved; another one is shown.
 *
 * @throws PLAN_CHANGED, before anything was changed
 */
export async function requireApprovedPlan(
  session: DeploySession,
  { edit, onlyApp }: Pick<ShownRun, "edit" | "onlyApp">,
  argv: GlobalArguments,
  approved: string,
): Promise<void> {
  const { plan } = await runShown(session, { operation: "preview", edit, onlyApp }, argv);
  try {
    requirePlan(plan, approved);
  } catch (error) {
    session.progress.close();
    process.stderr.write(`\n${renderPlan(plan, colorsFor(process.stderr, argv))}\n`);
    throw error;
  }
}
