import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";
import { registryOptions, withSignedBundle, type SignedBundleArguments } from "./registry-arguments.ts";

type VerifyArguments = GlobalArguments & SignedBundleArguments;

/** `ikoma bundle verify`: whether somebody who is trusted has signed a bundle; fails where nobody has. */
const command: CommandModule<GlobalArguments, VerifyArguments> = {
  command: "verify <reference>",
  describe: "Check that a bundle is signed by a key that you trust",
  builder: (parser) =>
    withSignedBundle(parser, "").example("$0 bundle verify registry.example/shop-bundle@sha256:… --key ci.pub", ""),
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
