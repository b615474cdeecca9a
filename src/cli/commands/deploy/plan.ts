import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";
import { withAppOption, withBundleOption, withEngineOptions, type EngineArguments } from "./deploy-options.ts";

interface PlanArguments extends EngineArguments {
  readonly app: string | undefined;
  readonly bundle: string | undefined;
}

/** `ikoma deploy plan`: what an apply would do. Changes nothing, and ends with 0 whether or not there is a difference. */
const command: CommandModule<GlobalArguments, PlanArguments> = {
  command: "plan",
  describe: "Show what a deploy would change: per service and field, restarts, drift",
  builder: (parser) =>
    withEngineOptions(withBundleOption(withAppOption(parser)))
      .example("$0 deploy plan -s prod", "Compare what is configured with what runs")
      .example("$0 deploy plan -s prod --bundle registry.example/shop-bundle:v1.4.0", "With another bundle"),
  handler: planDeploy,
};

export default command;

async function planDeploy(argv: PlanArguments): Promise<void> {
  const startedIn = process.cwd();
  const [
    { bundleEdit, inDeploySession, runShown },
    { changesAnything },
    { planDigest },
    { planNotes },
    { renderPlan },
    { printResult },
    { colorsFor },
    { readPolicyState, renderPolicyState },
  ] = await Promise.all([
    import("./deploy-session.ts"),
    import("../../../core/deployer/deploy-plan.ts"),
    import("../../../core/deployer/plan-digest.ts"),
    import("../../../core/deployer/plan-notes.ts"),
    import("../../output/plan-view.ts"),
    import("../../output/envelope.ts"),
    import("../../output/colors.ts"),
    import("./policy-state.ts"),
  ]);
  await inDeploySession(argv, async (session) => {
    const edit = await bundleEdit(session, argv, startedIn);
    const { plan } = await runShown(session, { operation: "preview", edit, onlyApp: argv.app }, argv);
    session.progress.close();
    const digest = planDigest(plan);
    const changes = changesAnything(plan);
    const policy = await readPolicyState(session, plan, edit);
    const data = { ...plan, bundle: edit?.set.bundle, digest, changes, notes: planNotes(plan), policy };
    const colors = colorsFor(process.stdout, argv);
    const human = () =>
      [renderPlan(plan, colors).trimEnd(), ...renderPolicyState(policy, colors), colors.dim(`Plan ${digest}`)].join(
        "\n",
      );
    printResult({ kind: "DeployPlan", data, human }, argv);
  });
}
