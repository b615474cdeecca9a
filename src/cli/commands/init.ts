import { basename } from "node:path";
import type { CommandModule } from "yargs";
import type { InitialisedProject } from "../../core/project/project-init.ts";
import { IkomaError } from "../../core/errors.ts";
import { oneText, type GlobalArguments } from "../global-options.ts";

interface InitArguments extends GlobalArguments {
  readonly app: string | undefined;
  readonly backend: string;
}

/** `ikoma init`: makes a folder a project, or a clone of one ready for plain `pulumi`. Never overwrites anything. */
const command: CommandModule<GlobalArguments, InitArguments> = {
  command: "init",
  describe: "Make this folder a project: Pulumi.yaml, prod, preprod; in a clone, link the program for plain pulumi",
  builder: (parser) =>
    parser
      .option("app", { ...oneText, defaultDescription: "name of the folder", describe: "Name of the app" })
      .option("backend", {
        type: "string",
        requiresArg: true,
        default: "file://~",
        describe: "Where the state is kept: file://…, s3://…, postgres://…",
      })
      .example("$0 init", "In an app's folder, beside its compose.yaml")
      .example("$0 init --app shop --backend s3://states", "With a store that a team shares"),
  handler: init,
};

export default command;

async function init(argv: InitArguments): Promise<void> {
  const [{ appNameOf, firstDeploy }, { initProject }, { recogniseProject }, { printResult }] = await Promise.all([
    import("../../core/project/project-files.ts"),
    import("../../core/project/project-init.ts"),
    import("../../core/project/lovable/recognise.ts"),
    import("../output/envelope.ts"),
  ]);
  const wanted = argv.app ?? basename(argv.cwd);
  const app = appNameOf(wanted);
  if (app === undefined || (argv.app !== undefined && app !== wanted)) {
    const hint = "Name it with --app: lower-case letters, digits and hyphens, starting with a letter, at most 40.";
    throw new IkomaError("USAGE", `"${wanted}" cannot be the name of an app.`, { hint });
  }
  const done = await initProject(argv.cwd, { app, backendUrl: argv.backend });
  const next = firstDeploy(app, await isLovable(recogniseProject(argv.cwd)));
  printResult({ kind: "ProjectInitialised", data: { app, ...done, next }, human: () => render(done, next) }, argv);
}

/** What cannot be told here `ikoma project inspect` tells. */
async function isLovable(recognition: Promise<{ readonly kind: string }>): Promise<boolean> {
  return recognition.then(
    ({ kind }) => kind === "recognised",
    () => false,
  );
}

function render({ written, kept, isLinked }: InitialisedProject, next: readonly string[]): string {
  return [
    ...written.map((name) => `written  ${name}`),
    ...kept.map((name) => `kept     ${name}, as it was`),
    isLinked
      ? "linked   .ikoma/, for plain `pulumi` on this machine (not to be committed)"
      : "Plain `pulumi` runs what `main:` of this Pulumi.yaml names; the command `ikoma` does without.",
    "",
    "next:",
    ...next.map((line) => `  ${line}`),
  ].join("\n");
}
