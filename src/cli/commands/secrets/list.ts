import type { CommandModule } from "yargs";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { inStore, type OpenStore } from "./store-session.ts";

interface ListArguments extends GlobalArguments {
  readonly app: string | undefined;
}

/** `ikoma secrets list`: what the store has for the stack, without values. */
const command: CommandModule<GlobalArguments, ListArguments> = {
  command: "list",
  describe: "The secrets of the stack: newest version, when, by whom, who can read it; no values",
  builder: (parser) => parser.option("app", { ...oneText, describe: "Only this app's" }),
  handler: (argv) => inStore(argv, (store) => listAll(store, argv)),
};

export default command;

async function listAll({ session, environment, config }: OpenStore, argv: ListArguments): Promise<void> {
  const [{ newestVersions }, { viewVersions, renderFlaws, renderSecrets }, { printResult }] = await Promise.all([
    import("../../../core/secret-store/stored-version.ts"),
    import("./secrets-view.ts"),
    import("../../output/envelope.ts"),
  ]);
  const secrets = await viewVersions(await newestVersions(session, environment, argv.app), config);
  const human = (): string => renderSecrets(secrets) + renderFlaws(secrets);
  printResult({ kind: "Secrets", data: { environment, secrets }, human }, argv);
}
