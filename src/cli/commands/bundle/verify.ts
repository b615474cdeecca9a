import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";
import { registryOptions, withRegistryArguments, type RegistryArguments } from "./registry-arguments.ts";

interface VerifyArguments extends GlobalArguments, RegistryArguments {
  readonly reference: string;
  readonly key: string[];
}

const none: string[] = [];

/** `ikoma bundle verify`: whether somebody who is trusted has signed a bundle; fails where nobody has. */
const command: CommandModule<GlobalArguments, VerifyArguments> = {
  command: "verify <reference>",
  describe: "Check that a bundle is signed by a key that you trust",
  builder: (parser) =>
    withRegistryArguments(parser)
      .positional("reference", {
        type: "string",
        demandOption: true,
        describe: "registry/name@sha256:…, registry/name:tag, or a file",
      })
      .option("key", {
        type: "string",
        array: true,
        nargs: 1,
        default: none,
        defaultDescription: "those of the stack hosts",
        describe: "File of a public key (can be repeated)",
      })
      .example("$0 bundle verify registry.example/shop-bundle@sha256:… --key ci.pub", ""),
  handler: verify,
};

export default command;

async function verify(argv: VerifyArguments): Promise<void> {
  const [{ readBundle }, { readSignatures }, { keysToCheckWith }, { requireSigner }, { printResult }] =
    await Promise.all([
      import("../../../core/bundle/bundle-store.ts"),
      import("../../../core/signing/signature-store.ts"),
      import("./signers.ts"),
      import("../../../core/signing/require-signer.ts"),
      import("../../output/envelope.ts"),
    ]);
  const keys = await keysToCheckWith(argv.key, argv.cwd);
  const options = await registryOptions(argv);
  const { reference, digest } = await readBundle(argv.reference, options);
  const signers = requireSigner({ reference, digest, ...(await readSignatures(reference, options)) }, keys);
  const human = `${reference}\nsigned by ${signers.join(", ")}`;
  printResult({ kind: "BundleVerified", data: { reference, digest, signers }, human }, argv);
}
