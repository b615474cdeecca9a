import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";

/** `ikoma project inspect`: what a folder is recognised as, why, and what its image needs. */
const command: CommandModule<GlobalArguments, GlobalArguments> = {
  command: "inspect",
  describe: "Say what this folder is recognised as, why, and what to know before its image is built",
  builder: (parser) => parser.example("$0 project inspect", "In a clone of what Lovable pushed to GitHub"),
  handler: inspect,
};

export default command;

async function inspect(argv: GlobalArguments): Promise<void> {
  const [{ requireProject }, { projectView, projectText }, { printResult }] = await Promise.all([
    import("../../../core/project/lovable/recognise.ts"),
    import("./project-view.ts"),
    import("../../output/envelope.ts"),
  ]);
  const project = await requireProject(argv.cwd);
  printResult({ kind: "Project", data: projectView(project), human: () => projectText(project) }, argv);
}
