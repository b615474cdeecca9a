import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";
import { readSigningKey, withKeyArguments, type KeyArguments } from "./key-arguments.ts";
import { registryOptions, withRegistryArguments, type RegistryArguments } from "./registry-arguments.ts";

interface SignArguments extends GlobalArguments, RegistryArguments, KeyArguments {
  readonly reference: string;
}

/** `ikoma bundle sign`: says with a private key that a bundle is right. Several keys may say so. */
const command: CommandModule<GlobalArguments, SignArguments> = {
  command: "sign <reference>",
  describe: "Sign a bundle; the signature is kept beside it, in cosign's format",
  builder: (parser) =>
    withKeyArguments(withRegistryArguments(parser))
      .positional("reference", {
        type: "string",
        demandOption: true,
        describe: "registry/name@sha256:…, registry/name:tag, or a file",
      })
      .example("$0 bundle sign registry.example/shop-bundle@sha256:… --sign-key ci.key", ""),
  handler: sign,
};

export default command;

async function sign(argv: SignArguments): Promise<void> {
  const [{ readBundle }, { signBundle }, { IkomaError }, { printResult }] = await Promise.all([
    import("../../../core/bundle/bundle-store.ts"),
    import("../../../core/signing/sign-bundle.ts"),
    import("../../../core/errors.ts"),
    import("../../output/envelope.ts"),
  ]);
  const key = await readSigningKey(argv);
  if (key === undefined) {
    throw new IkomaError("USAGE", "Sign with which key?", {
      hint: "Name the file of a private key with --sign-key, or set IKOMA_SIGN_KEY. `ikoma bundle keygen NAME` makes a pair.",
    });
  }
  const options = await registryOptions(argv);
  const { reference, digest } = await readBundle(argv.reference, options);
  const { key: fingerprint, isNew } = await signBundle(reference, key, options);
  const human = `${reference}\n${isNew ? "signed" : "was signed already"} by ${fingerprint}`;
  printResult({ kind: "BundleSigned", data: { reference, digest, key: fingerprint, isNew }, human }, argv);
}
