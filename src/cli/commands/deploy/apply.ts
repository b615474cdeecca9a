import type { CommandModule } from "yargs";
import type { DeployRunResult } from "../../../core/deployer/deploy-run.ts";
import type { AppEdit } from "../../../core/project/deploy-stack-file.ts";
import { requireConsent } from "../../confirm.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { withAppOption, withBundleOption, withEngineOptions, type EngineArguments } from "./deploy-options.ts";
import type { DeploySession } from "./deploy-session.ts";
import type { Leave } from "./plan-leave.ts";

interface ApplyArguments extends EngineArguments {
  readonly app: string | undefined;
  readonly bundle: string | undefined;
  readonly plan: string | undefined;
  readonly redeploy: boolean;
  readonly message: string | undefined;
  readonly "recreate-volume": string[] | undefined;
  readonly "outside-window": string | undefined;
}

/** `ikoma deploy apply`: brings an environment to what is configured, and pins the bundle when that went well. */
const command: CommandModule<GlobalArguments, ApplyArguments> = {
  command: "apply",
  describe: "Deploy: bring what runs to what is configured, or to another bundle",
  builder: (parser) =>
    withEngineOptions(withBundleOption(withAppOption(parser)))
      .option("plan", {
        ...oneText,
        describe: "Do this plan or nothing: its digest, as `deploy plan` tells it, of what was approved",
      })
      .option("redeploy", {
        type: "boolean",
        default: false,
        describe: "Deploy a bundle although it was taken back before",
      })
      .option("recreate-volume", {
        type: "string",
        array: true,
        requiresArg: true,
        describe: "Begin with an empty volume where this one is gone, and its data with it (can be repeated)",
      })
      .option("outside-window", {
        ...oneText,
        default: process.env.IKOMA_OUTSIDE_WINDOW,
        defaultDescription: "$IKOMA_OUTSIDE_WINDOW",
        describe: "Deploy outside the deploy windows, for this reason; it goes into the history",
      })
      .option("message", { ...oneText, alias: "m", describe: "Why, for the history" })
      .example("$0 deploy apply -s prod --bundle ./shop.bundle.json", "Show the plan, ask, deploy")
      .example("$0 deploy apply -s prod --bundle registry.example/shop-bundle@sha256:… --yes", "In CI")
      .example("$0 deploy apply -s prod --plan sha256:… --yes", "In CI, what somebody has approved and nothing else"),
  handler: applyDeploy,
};

export default command;

async function applyDeploy(argv: ApplyArguments): Promise<void> {
  requireConsent(argv);
  const startedIn = process.cwd();
  let startedMs = performance.now();
  const { bundleEdit, inDeploySession } = await import("./deploy-session.ts");
  await inDeploySession(argv, async (session) => {
    const edit = await bundleEdit(session, argv, startedIn);
    const { leaveToApply } = await import("./plan-leave.ts");
    const question = `Deploy to ${session.project.stackName}?`;
    const planned = { edit, onlyApp: argv.app, clearance: { outsideWindow: argv["outside-window"] } };
    const leave = await leaveToApply(session, planned, argv, { question, plan: argv.plan });
    if (leave === undefined) return;
    if (!argv.yes) startedMs = performance.now(); // Somebody's time to think is not the deploy's.
    const result = await update(session, edit, argv, leave);
    await finish(session, edit, result, argv, performance.now() - startedMs);
  });
}

async function update(
  session: DeploySession,
  edit: AppEdit | undefined,
  argv: ApplyArguments,
  { clearance, approvedBy, beforeAnother }: Leave,
): Promise<DeployRunResult> {
  const [{ runShown }, { isReason }] = await Promise.all([
    import("./deploy-session.ts"),
    import("../../../core/policies/change-guard.ts"),
  ]);
  const { message } = argv;
  const outsideWindow = argv["outside-window"];
  const note = [
    message,
    isReason(outsideWindow) ? `outside the deploy windows: ${outsideWindow}` : undefined,
    approvedBy.length === 0 ? undefined : `approved by ${approvedBy.join(", ")}`,
  ].filter((each) => each !== undefined);
  const notes = { redeploy: argv.redeploy, ...(note.length > 0 && { note: note.join("; ") }) };
  const run = {
    operation: "up",
    edit,
    onlyApp: argv.app,
    notes,
    showPlan: argv.yes,
    recreateVolumes: argv["recreate-volume"] ?? [],
    clearance: { ...clearance, outsideWindow },
    beforeAnother,
    message: message ?? "ikoma deploy apply",
  } as const;
  return runShown(session, run, argv);
}

async function finish(
  session: DeploySession,
  edit: AppEdit | undefined,
  result: DeployRunResult,
  argv: ApplyArguments,
  durationMs: number,
): Promise<void> {
  const [{ keepEdit }, { appliedData, renderApplied }, { printResult }] = await Promise.all([
    import("./keep-edit.ts"),
    import("./applied-view.ts"),
    import("../../output/envelope.ts"),
  ]);
  const pin = edit === undefined ? undefined : await keepEdit(session.project, edit);
  const applied = { stack: session.project.stackName, app: argv.app, result, pin, durationMs };
  session.progress.close();
  printResult({ kind: "DeployApplied", data: appliedData(applied), human: () => renderApplied(applied) }, argv);
}
