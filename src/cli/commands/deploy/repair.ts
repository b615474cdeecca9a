import type { CommandModule } from "yargs";
import { requireConsent } from "../../confirm.ts";
import type { GlobalArguments } from "../../global-options.ts";
import { withEngineOptions, type EngineArguments } from "./deploy-options.ts";

interface RepairArguments extends EngineArguments {
  readonly force: boolean;
}

/** `ikoma deploy repair`: what the next deploy does by itself, and with `--force` the lock of a machine that is gone. */
const command: CommandModule<GlobalArguments, RepairArguments> = {
  command: "repair",
  describe: "Clear up what a killed run has left in the stack; the next deploy does so by itself",
  builder: (parser) =>
    withEngineOptions(parser)
      .option("force", {
        type: "boolean",
        default: false,
        describe: "Break the lock of a run on another machine, which is dead for certain",
      })
      .example("$0 deploy repair -s prod", "After a run was killed on this machine")
      .example("$0 deploy repair -s prod --force", "After a runner of CI was lost"),
  handler: repair,
};

export default command;

async function repair(argv: RepairArguments): Promise<void> {
  if (argv.force) requireConsent(argv);
  const [{ inDeploySession }, { environmentProgram }, { repairStack }, { confirm }, { printResult }] =
    await Promise.all([
      import("./deploy-session.ts"),
      import("./environment-program.ts"),
      import("../../../core/engine/stack-repair.ts"),
      import("../../confirm.ts"),
      import("../../output/envelope.ts"),
    ]);
  await inDeploySession(argv, async ({ project, progress, signal, waitForLockMs }) => {
    const repairs: string[] = [];
    const breakLocks = async (owners: readonly string[]): Promise<void> => {
      if (argv.yes) return;
      progress.close();
      await confirm(
        `Is ${owners.join(" and ")} dead for certain? Two runs at once damage the state. Break it?`,
        signal,
      );
    };
    await repairStack({
      place: { workDir: project.folder, stackName: project.stackName },
      program: environmentProgram(project.stackName, {}),
      waitForLockMs,
      signal,
      breakLocks: argv.force ? breakLocks : undefined,
      onRepair: (message) => {
        repairs.push(message);
        progress.message(message);
      },
    });
    progress.close();
    const human = `${project.stackName} is free, and nothing unfinished is left in its state.`;
    printResult({ kind: "DeployRepaired", data: { stack: project.stackName, repairs }, human }, argv);
  });
}
