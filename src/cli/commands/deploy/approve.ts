import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import { IkomaError } from "../../../core/errors.ts";
import { requireConsent } from "../../confirm.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { withAppOption, withBundleOption, withEngineOptions, type EngineArguments } from "./deploy-options.ts";
import type { DeploySession } from "./deploy-session.ts";
import type { PlanApprovals } from "./approvals.ts";

interface ApproveArguments extends EngineArguments {
  readonly app: string | undefined;
  readonly bundle: string | undefined;
  readonly plan: string | undefined;
  readonly identity: string | undefined;
}

/** `ikoma deploy approve`: signs a plan that was looked at, so that it, and nothing else, may be applied. */
const command: CommandModule<GlobalArguments, ApproveArguments> = {
  command: "approve",
  describe: "Approve a plan with your SSH key, where the stack's policy asks for it",
  builder: (parser) =>
    withEngineOptions(withBundleOption(withAppOption(parser)))
      .option("plan", { ...oneText, describe: "Digest of the plan that you have looked at (`deploy plan` tells it)" })
      .option("identity", {
        ...oneText,
        alias: "i",
        describe: "SSH key to sign with (default: the one of ~/.ssh or the SSH agent that the policy names)",
      })
      .example("$0 deploy approve -s prod --bundle registry.example/shop-bundle@sha256:…", "Show the plan, ask, sign")
      .example("$0 deploy approve -s prod --plan sha256:… --yes", "One that was looked at before"),
  handler: approve,
};

export default command;

async function approve(argv: ApproveArguments): Promise<void> {
  requirePlanOrPerson(argv);
  const startedIn = process.cwd();
  const [{ bundleEdit, inDeploySession, runShown }, { changesAnything }, { approvalPolicy }, { findSigner }] =
    await Promise.all([
      import("./deploy-session.ts"),
      import("../../../core/deployer/deploy-plan.ts"),
      import("./approvals.ts"),
      import("../../../core/policies/approver-key.ts"),
    ]);
  await inDeploySession(argv, async (session) => {
    const policy = approvalPolicy(session.settings);
    const signer = await findSigner(policy, fromShell(argv.identity, startedIn));
    const edit = await bundleEdit(session, argv, startedIn);
    const { plan } = await runShown(session, { operation: "preview", edit, onlyApp: argv.app }, argv);
    if (!changesAnything(plan)) throw new IkomaError("USAGE", "There is nothing to approve: the plan changes nothing.");
    await lookAt(session, plan, argv, signer.approver);
    const { approvalText } = await import("../../../core/policies/approval.ts");
    const { keepApproval, readApprovals } = await import("./approvals.ts");
    const { changedApps } = await import("../../../core/deployer/plan-approvals.ts");
    const { thing } = await readApprovals(session, plan, edit);
    const statement = approvalText(thing, signer.approver, Date.now());
    const signature = await signer.sign(statement);
    const apps = changedApps(plan).filter((app) => session.settings.apps[app] !== undefined);
    await keepApproval(session.settings, apps, { statement, signature });
    const approvals = await readApprovals(session, plan, edit);
    session.progress.close();
    await tell(session, signer.approver, approvals, argv);
  });
}

/** The path of a key as the shell meant it: the session works in the project's folder. */
function fromShell(path: string | undefined, startedIn: string): string | undefined {
  return path === undefined || path.startsWith("~") ? path : resolve(startedIn, path);
}

/** What nobody looked at is not approved. */
function requirePlanOrPerson(argv: ApproveArguments): void {
  requireConsent(argv, process, {
    message: "An approval is somebody's word, and nobody is there to be asked.",
    hint: "Name the plan that you have looked at, and say that you have: --plan DIGEST --yes.",
  });
  if (argv.plan !== undefined || !argv.yes) return;
  throw new IkomaError("USAGE", "With --yes nobody sees the plan.", {
    hint: "Name the one that you have looked at: --plan DIGEST, as `ikoma deploy plan` tells it.",
  });
}

async function lookAt(
  session: DeploySession,
  plan: Parameters<typeof import("../../output/plan-view.ts").renderPlan>[0],
  argv: ApproveArguments,
  approver: string,
): Promise<void> {
  const [{ renderPlan }, { colorsFor }, { requirePlan }, { confirm }] = await Promise.all([
    import("../../output/plan-view.ts"),
    import("../../output/colors.ts"),
    import("../../../core/deployer/plan-digest.ts"),
    import("../../confirm.ts"),
  ]);
  session.progress.close();
  process.stderr.write(`\n${renderPlan(plan, colorsFor(process.stderr, argv))}\n`);
  if (argv.plan !== undefined) requirePlan(plan, argv.plan);
  if (!argv.yes) await confirm(`Approve this for ${session.project.stackName} as ${approver}?`, session.signal);
}

async function tell(
  { project }: DeploySession,
  approver: string,
  { count, thing }: PlanApprovals,
  argv: ApproveArguments,
): Promise<void> {
  const { printResult } = await import("../../output/envelope.ts");
  const missing = count.required - count.approvedBy.length;
  const next =
    missing > 0
      ? `${missing} more to come.`
      : `It can be applied: ikoma deploy apply -s ${project.stackName} --plan ${thing.plan}`;
  const human = `${approver} has approved ${thing.plan} (${count.approvedBy.length} of ${count.required}). ${next}`;
  printResult({ kind: "DeployApproved", data: { ...thing, approver, ...count }, human }, argv);
}
