import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";

/** `ikoma project write`: the files that the build makes do without, for who wants to change them. */
const command: CommandModule<GlobalArguments, GlobalArguments> = {
  command: "write",
  describe: "Write the Dockerfile, .dockerignore and compose.yaml of a Lovable project, to be yours from then on",
  builder: (parser) => parser.example("$0 project write", "Never overwrites a file"),
  handler: write,
};

export default command;

async function write(argv: GlobalArguments): Promise<void> {
  const [{ requireProject }, { writeProjectFiles }, { printResult }] = await Promise.all([
    import("../../../core/project/lovable/recognise.ts"),
    import("../../../core/project/lovable/write-project.ts"),
    import("../../output/envelope.ts"),
  ]);
  const project = await requireProject(argv.cwd);
  const { written, kept } = await writeProjectFiles(project);
  const human = [
    ...written.map((name) => `written  ${name}`),
    ...kept.map((name) => `kept     ${name}, as it was`),
  ].join("\n");
  printResult({ kind: "ProjectFiles", data: { folder: project.folder, written, kept }, human }, argv);
}
