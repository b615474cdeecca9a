import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";
import { readPassphrase, withPassphraseArguments, type PassphraseArguments } from "./key-arguments.ts";

interface KeygenArguments extends GlobalArguments, PassphraseArguments {
  readonly name: string;
}

/** `ikoma bundle keygen`: a pair of keys to sign bundles with, in two new files. */
const command: CommandModule<GlobalArguments, KeygenArguments> = {
  command: "keygen <name>",
  describe: "Make a pair of keys to sign bundles with: NAME.key, which stays secret, and NAME.pub for the hosts",
  builder: (parser) =>
    withPassphraseArguments(parser)
      .positional("name", { type: "string", demandOption: true, describe: "Name of the pair, or a path to it" })
      .example("$0 bundle keygen ci", "ci.key and ci.pub in this folder"),
  handler: makeKeys,
};

export default command;

async function makeKeys(argv: KeygenArguments): Promise<void> {
  const [{ createKeyPair, fingerprintOf, parsePublicKey }, { writeKeyFiles }, { printResult }] = await Promise.all([
    import("../../../core/signing/signing-key.ts"),
    import("../../../core/signing/key-files.ts"),
    import("../../output/envelope.ts"),
  ]);
  const passphrase = await readPassphrase(argv, askTwice);
  const pair = createKeyPair(passphrase);
  const files = await writeKeyFiles(resolve(argv.cwd, argv.name), pair);
  const key = parsePublicKey(pair.publicKeyPem);
  const fingerprint = key === undefined ? "" : fingerprintOf(key);
  const isEncrypted = passphrase !== undefined;
  const human = [
    `${files.privateFile}  the private key${isEncrypted ? ", encrypted" : ", not encrypted"}: to a secret of your CI, and out of every repository`,
    `${files.publicFile}  the public key, ${fingerprint}: into \`ikoma:setup.HOST.signatures.keys\` of the stack \`hosts\``,
  ].join("\n");
  printResult({ kind: "SigningKeys", data: { ...files, fingerprint, isEncrypted }, human }, argv);
}

async function askTwice(): Promise<string | undefined> {
  const [{ askHidden }, { IkomaError }] = await Promise.all([
    import("../../hidden-answer.ts"),
    import("../../../core/errors.ts"),
  ]);
  const first = await askHidden("Passphrase for the key (empty for none): ");
  if (first === undefined || first === (await askHidden("Again: "))) return first;
  throw new IkomaError("USAGE", "The two passphrases are not the same; no key was made.");
}
