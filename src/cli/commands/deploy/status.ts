import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";
import { withAppOption } from "./deploy-options.ts";

interface DeployStatusArguments extends GlobalArguments {
  readonly app: string | undefined;
}

/** `ikoma deploy status`: is a deploy under way, by whom, and what serves meanwhile. Asks the host. */
const command: CommandModule<GlobalArguments, DeployStatusArguments> = {
  command: "status",
  describe: "Whether a deploy is under way, who runs it, what serves meanwhile",
  builder: (parser) => withAppOption(parser).example("$0 deploy status -s prod", "Ask the host of the stack's app"),
  handler: showDeployStatus,
};

export default command;

async function showDeployStatus(argv: DeployStatusArguments): Promise<void> {
  const [
    { findDeployProject },
    { chooseApp, hostOf, readStackSettings },
    { readLocks },
    { withAgent },
    { renderDeployStatus },
    { printResult },
  ] = await Promise.all([
    import("../../../core/project/deploy-project.ts"),
    import("../../../core/project/deploy-stack-file.ts"),
    import("../../../core/project/deploy-locks.ts"),
    import("../../host-agent.ts"),
    import("./deploy-status-view.ts"),
    import("../../output/envelope.ts"),
  ]);
  const project = await findDeployProject(argv.cwd, argv.stack);
  const settings = await readStackSettings(project.stackFile);
  const app = chooseApp(settings, argv.app, project.stackName);
  const locks = await readLocks(project);
  const { apps } = await withAgent(hostOf(settings, app), (agent) => agent.call("app.status", {}));
  const state = apps.find((each) => each.app === app);
  const status = { stack: project.stackName, app, locks, operation: state?.operation, current: state?.current };
  printResult({ kind: "DeployStatus", data: status, human: () => renderDeployStatus(status, Date.now()) }, argv);
}
