import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";

interface KeygenArguments extends GlobalArguments {
  readonly file: string;
}

/** `ikoma secrets keygen`: an identity to read the store's secrets with, in a new file. */
const command: CommandModule<GlobalArguments, KeygenArguments> = {
  command: "keygen <file>",
  describe: "Make an identity to read secrets with (as `age-keygen` does), and print its public half",
  builder: (parser) =>
    parser
      .positional("file", { type: "string", demandOption: true, describe: "New file, for nobody else to read" })
      .example("$0 secrets keygen ~/.ikoma-identity", "Then: export IKOMA_STORE_IDENTITY_FILE=~/.ikoma-identity"),
  handler: makeIdentity,
};

export default command;

async function makeIdentity(argv: KeygenArguments): Promise<void> {
  const [{ createIdentity }, { writeNew }, { printResult }] = await Promise.all([
    import("../../../core/secret-store/identity.ts"),
    import("../../../core/signing/key-files.ts"),
    import("../../output/envelope.ts"),
  ]);
  const { text, recipient } = await createIdentity();
  const file = resolve(argv.cwd, argv.file);
  await writeNew(file, text, 0o600);
  printResult({ kind: "SecretIdentity", data: { file, recipient }, human: recipient }, argv);
}
