import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";
import { registryOptions, withRegistryArguments } from "./registry-arguments.ts";
import type { RegistryArguments } from "./registry-arguments.ts";

interface InspectArguments extends GlobalArguments, RegistryArguments {
  readonly reference: string;
}

/** `ikoma bundle inspect`: what is in a bundle, and why each service is what it is. */
const command: CommandModule<GlobalArguments, InspectArguments> = {
  command: "inspect <reference>",
  describe: "Show a bundle's services, images, routes, checks and variables",
  builder: (parser) =>
    withRegistryArguments(parser).positional("reference", {
      type: "string",
      demandOption: true,
      describe: "registry/name@sha256:…, registry/name:tag, or a file",
    }),
  handler: inspect,
};

export default command;

async function inspect(argv: InspectArguments): Promise<void> {
  const [{ readBundle }, { bundleView }, { bundleText }, { printResult }] = await Promise.all([
    import("../../../core/bundle/bundle-store.ts"),
    import("./bundle-view.ts"),
    import("./bundle-text.ts"),
    import("../../output/envelope.ts"),
  ]);
  const { manifest, digest, reference } = await readBundle(argv.reference, await registryOptions(argv));
  const view = bundleView(manifest, digest);
  const data = { reference, ...view };
  printResult({ kind: "Bundle", data, human: () => bundleText(reference, view) }, argv);
}
