import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";
import {
  findWriter,
  inStore,
  secretKey,
  withSecretArguments,
  versionNumber,
  withSignArguments,
  type OpenStore,
  type SecretArguments,
  type SignArguments,
} from "./store-session.ts";

interface SetArguments extends SecretArguments, SignArguments {
  readonly expect: number | undefined;
}

/** `ikoma secrets set`: writes the next version of a secret. */
const command: CommandModule<GlobalArguments, SetArguments> = {
  command: "set <app> <name>",
  describe: "Set a secret: its value comes on standard input, or is typed unseen",
  builder: (parser) =>
    withSignArguments(withSecretArguments(parser))
      .option("expect", {
        ...versionNumber,
        describe: "Only if this is its newest version (0: it has none), for scripts",
      })
      .example("$0 secrets set shop STRIPE_KEY -s prod", "Asks for the value")
      .example("$0 secrets set shop STRIPE_KEY -s prod <key.txt", "From a file"),
  handler: (argv) => inStore(argv, (store) => setOne(store, argv)),
};

export default command;

async function setOne(store: OpenStore, argv: SetArguments): Promise<void> {
  const [{ chooseApp }, { newestVersionOf, writeVersion, requireRecipients }, { givenValue }, { printResult }] =
    await Promise.all([
      import("../../../core/project/deploy-stack-file.ts"),
      import("../../../core/secret-store/change-secret.ts"),
      import("./given-value.ts"),
      import("../../output/envelope.ts"),
    ]);
  chooseApp(store.settings, argv.app, store.project.stackName);
  const key = await secretKey(store, argv);
  // All that can be refused is, before somebody types.
  const signer = await findWriter(store.config, argv);
  await requireRecipients(store.config.recipients);
  const seen = argv.expect ?? (await newestVersionOf(store.session, key));
  const value = await givenValue(argv.name);
  const { version } = await writeVersion(store.session, store.config, { key, value, seen }, signer);
  const human = `${key.environment}/${key.app}/${key.name} is at version ${version}; the next deploy takes it where \`ikoma:secrets.${key.app}\` says \`{store: …}\``;
  printResult({ kind: "SecretSet", data: { ...key, version, by: signer.name }, human }, argv);
}
