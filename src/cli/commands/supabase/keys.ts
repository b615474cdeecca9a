import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import type { PreparedStack } from "../../../core/services/supabase/self-hosted/prepare-stack.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { withAppOption, withBundleOption } from "../deploy/deploy-options.ts";

interface KeysArguments extends GlobalArguments {
  readonly app: string | undefined;
  readonly bundle: string | undefined;
  readonly "settings-from": string | undefined;
}

/** `ikoma supabase keys`: makes what a self-hosted stack needs and is not there; prints names only. */
const command: CommandModule<GlobalArguments, KeysArguments> = {
  command: "keys",
  describe: "Make the secrets and API keys of a self-hosted Supabase, encrypted in the stack's file",
  builder: (parser) =>
    withBundleOption(withAppOption(parser))
      .option("settings-from", {
        ...oneText,
        describe: "File of variables, such as .env.example, whose settings are taken over too (no secrets)",
      })
      .example("$0 supabase keys -s prod --bundle REF", "What is there already stays as it is")
      .example("$0 supabase keys -s prod --bundle REF --settings-from .env.example", "The settings as well"),
  handler: makeKeys,
};

export default command;

async function makeKeys(argv: KeysArguments): Promise<void> {
  const [{ findDeployProject }, { chooseApp, readStackSettings }, { prepareStack }, { printResult }] =
    await Promise.all([
      import("../../../core/project/deploy-project.ts"),
      import("../../../core/project/deploy-stack-file.ts"),
      import("../../../core/services/supabase/self-hosted/prepare-stack.ts"),
      import("../../output/envelope.ts"),
    ]);
  const project = await findDeployProject(argv.cwd, argv.stack);
  const settings = await readStackSettings(project.stackFile);
  const app = chooseApp(settings, argv.app, project.stackName);
  const given = argv["settings-from"];
  const settingsFile = given === undefined ? undefined : resolve(argv.cwd, given);
  const prepared = await prepareStack({ project, settings, app, bundle: argv.bundle, settingsFile });
  const human = (): string => inWords(prepared, app, project.stackName);
  printResult({ kind: "SupabaseKeys", data: { app, stack: project.stackName, ...prepared }, human }, argv);
}

function inWords({ secrets, settings, missing }: PreparedStack, app: string, stack: string): string {
  const lines = [
    secrets.length === 0 ? "No secret was made: all are there." : `Secrets made: ${secrets.join(", ")}.`,
    ...(settings.length === 0 ? [] : [`Settings written: ${settings.join(", ")}.`]),
  ];
  if (missing.length === 0) return lines.join("\n");
  const set = `pulumi config set --stack ${stack} --path 'ikoma:apps.${app}.env.${missing[0] ?? ""}' VALUE`;
  const secret = `pulumi config set --stack ${stack} --secret --path 'ikoma:secrets.${app}.${missing[0] ?? ""}'`;
  return [...lines, `Still without a value: ${missing.join(", ")}.`, `  ${set}`, `  ${secret}`].join("\n");
}
