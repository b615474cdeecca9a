import type { Argv } from "yargs";
import type { RegistryOptions } from "../../../core/adapters/registry/endpoint.ts";

/** How registries are reached. */
export interface RegistryArguments {
  readonly "plain-http": boolean;
  readonly "registry-mirror": string[] | undefined;
}

/** Lists are given word by word (`--image a=… --image b=…`); elsewhere in the CLI the last word wins. */
export const repeatable = { "duplicate-arguments-array": true };

/** Declares the options of {@link RegistryArguments}. */
export function withRegistryArguments<T>(parser: Argv<T>): Argv<T & RegistryArguments> {
  return parser
    .parserConfiguration(repeatable)
    .option("plain-http", { type: "boolean", default: false, describe: "Speak to registries without TLS" })
    .option("registry-mirror", {
      type: "string",
      array: true,
      nargs: 1,
      defaultDescription: "$IKOMA_REGISTRY_MIRROR",
      describe: "Ask another registry in one's stead: docker.io=http://127.0.0.1:5000",
    });
}

/** A bundle, and the public keys that its signatures are held against. */
export interface SignedBundleArguments extends RegistryArguments {
  readonly reference: string;
  readonly key: string[];
}

const none: string[] = [];

/** Declares the arguments of {@link SignedBundleArguments}. */
export function withSignedBundle<T>(parser: Argv<T>, keyFor: string): Argv<T & SignedBundleArguments> {
  return withRegistryArguments(parser)
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
      describe: `File of a public key${keyFor} (can be repeated)`,
    });
}

/** The arguments as the core takes them. */
export async function registryOptions(argv: RegistryArguments): Promise<RegistryOptions> {
  const { parseMirrors } = await import("../../../core/adapters/registry/endpoint.ts");
  const mirrors = argv["registry-mirror"];
  return { plainHttp: argv["plain-http"], ...(mirrors === undefined ? {} : { mirrors: parseMirrors(mirrors) }) };
}
