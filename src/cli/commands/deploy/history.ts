import type { Argv, CommandModule } from "yargs";
import type { Deployment } from "../../../agent/protocol/views.ts";
import { oneNumber, type GlobalArguments } from "../../global-options.ts";
import { withAppOption } from "./deploy-options.ts";

interface HistoryArguments extends GlobalArguments {
  readonly app: string | undefined;
  readonly limit: number;
}

/** `ikoma deploy history`: the host's ledger, which is the truth of what was deployed and how it ended. */
const command: CommandModule<GlobalArguments, HistoryArguments> = {
  command: "history",
  describe: "What was deployed, when, by whom, and how it ended",
  builder: (parser) => withLimit(withAppOption(parser)).example("$0 deploy history -s prod --limit 5", "The last five"),
  handler: showHistory,
};

export default command;

function withLimit<T>(parser: Argv<T>): Argv<T & { limit: number }> {
  return parser.option("limit", {
    ...oneNumber("limit", { least: 1, most: 500 }),
    default: 20,
    describe: "How many, the newest first",
  });
}

async function showHistory(argv: HistoryArguments): Promise<void> {
  const [
    { findDeployProject },
    { chooseApp, hostOf, readStackSettings },
    { withAgent },
    { renderHistory },
    { printResult },
    { colorsFor },
  ] = await Promise.all([
    import("../../../core/project/deploy-project.ts"),
    import("../../../core/project/deploy-stack-file.ts"),
    import("../../host-agent.ts"),
    import("./history-view.ts"),
    import("../../output/envelope.ts"),
    import("../../output/colors.ts"),
  ]);
  const project = await findDeployProject(argv.cwd, argv.stack);
  const settings = await readStackSettings(project.stackFile);
  const app = chooseApp(settings, argv.app, project.stackName);
  const { deployments } = await withAgent(hostOf(settings, app), (agent) =>
    agent.call("app.history", { app, limit: argv.limit }),
  );
  const newestFirst: Deployment[] = [...deployments].sort((a, b) => b.number - a.number);
  const data = { stack: project.stackName, app, deployments: newestFirst };
  printResult(
    { kind: "DeployHistory", data, human: () => renderHistory(newestFirst, colorsFor(process.stdout, argv)) },
    argv,
  );
}
