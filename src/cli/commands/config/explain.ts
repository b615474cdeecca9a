import { basename } from "node:path";
import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";

/** `ikoma config explain`: the settings that are in force, and where each comes from. Reads files only. */
const command: CommandModule<GlobalArguments, GlobalArguments> = {
  command: "explain",
  describe: "Show every setting that is in force, defaults too, and where it comes from",
  builder: (parser) =>
    parser
      .example("$0 config explain -s prod", "Each value with the line of the file that it is from")
      .example("$0 config explain -s prod --json", "For a program"),
  handler: explain,
};

export default command;

async function explain(argv: GlobalArguments): Promise<void> {
  const [{ findDeployProject }, { explainConfig }, { readFile }] = await Promise.all([
    import("../../../core/project/deploy-project.ts"),
    import("../../../core/config/explain-config.ts"),
    import("node:fs/promises"),
  ]);
  const [{ printResult }, { colorsFor }, { renderExplained, sourcesOf }] = await Promise.all([
    import("../../output/envelope.ts"),
    import("../../output/colors.ts"),
    import("./explain-view.ts"),
  ]);
  const project = await findDeployProject(argv.cwd, argv.stack);
  const settings = explainConfig(await readFile(project.stackFile, "utf8"), basename(project.stackFile));
  const explained = { stack: project.stackName, sources: sourcesOf(project, process.env), settings };
  const human = (): string => renderExplained(explained, colorsFor(process.stdout, argv));
  printResult({ kind: "ConfigExplained", data: explained, human }, argv);
}
