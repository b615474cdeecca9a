import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";
import { registryOptions, withSignedBundle, type SignedBundleArguments } from "./registry-arguments.ts";

type InspectArguments = GlobalArguments & SignedBundleArguments;

/** `ikoma bundle inspect`: what is in a bundle, and why each service is what it is. */
const command: CommandModule<GlobalArguments, InspectArguments> = {
  command: "inspect <reference>",
  describe: "Show a bundle's services, images, routes, checks and variables, and who has signed it",
  builder: (parser) => withSignedBundle(parser, ", to tell who has signed"),
  handler: inspect,
};

export default command;

async function inspect(argv: InspectArguments): Promise<void> {
  const [{ readBundle }, { describeSignatures }, { bundleView }, { bundleText }, { printResult }] = await Promise.all([
    import("../../../core/bundle/bundle-store.ts"),
    import("./signature-view.ts"),
    import("./bundle-view.ts"),
    import("./bundle-text.ts"),
    import("../../output/envelope.ts"),
  ]);
  const options = await registryOptions(argv);
  const { manifest, digest, reference } = await readBundle(argv.reference, options);
  const view = bundleView(manifest, digest);
  const signatures = await describeSignatures(reference, digest, argv, options);
  const data = { reference, ...view, signatures: signatures.data };
  printResult({ kind: "Bundle", data, human: () => `${bundleText(reference, view)}${signatures.human}` }, argv);
}
