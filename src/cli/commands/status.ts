import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../global-options.ts";

interface StatusArguments extends GlobalArguments {
  readonly live: boolean;
}

/** `ikoma status`: what runs, from the stack's exports (no engine, no host), or with `--live` from the hosts. */
const command: CommandModule<GlobalArguments, StatusArguments> = {
  command: "status",
  describe: "What runs in an environment",
  builder: (parser) =>
    parser
      .option("live", {
        type: "boolean",
        default: false,
        describe: "Ask the hosts, instead of the last deploy's exports",
      })
      .example("$0 status -s prod", "As of the last deploy")
      .example("$0 status -s prod --live --json", "As of now, for a program"),
  handler: showStatus,
};

export default command;

async function showStatus(argv: StatusArguments): Promise<void> {
  const [{ findDeployProject }, { printResult }, { colorsFor }] = await Promise.all([
    import("../../core/project/deploy-project.ts"),
    import("../output/envelope.ts"),
    import("../output/colors.ts"),
  ]);
  const project = await findDeployProject(argv.cwd, argv.stack);
  const colors = colorsFor(process.stdout, argv);
  if (argv.live) {
    const { liveStatus, renderLiveStatus } = await import("./live-status.ts");
    const status = await liveStatus(project);
    printResult({ kind: "LiveStatus", data: status, human: () => renderLiveStatus(status, colors, Date.now()) }, argv);
    return;
  }
  const { exportedStatus, renderExportedStatus } = await import("./exported-status.ts");
  const status = await exportedStatus(project);
  printResult({ kind: "Status", data: status, human: () => renderExportedStatus(status, colors, Date.now()) }, argv);
}
