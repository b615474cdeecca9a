import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import type { CommandModule } from "yargs";
import type { CreateBundleOptions } from "../../../core/bundle/create-bundle.ts";
import type { BundleManifest } from "../../../core/bundle/manifest.ts";
import { neededText, oneText, type GlobalArguments } from "../../global-options.ts";
import { readSigningKey, withKeyArguments, type KeyArguments } from "./key-arguments.ts";
import { registryOptions, withRegistryArguments } from "./registry-arguments.ts";
import type { RegistryArguments } from "./registry-arguments.ts";

interface CreateArguments extends GlobalArguments, RegistryArguments, KeyArguments {
  readonly app: string;
  readonly version: string;
  readonly file: string[] | undefined;
  readonly "project-directory": string | undefined;
  readonly profile: string[];
  readonly image: string[];
  readonly "include-env-file": string[];
  readonly commit: string | undefined;
  readonly repository: string | undefined;
  readonly push: string | undefined;
  readonly output: string | undefined;
}

const empty: string[] = [];
const list = { type: "string", array: true, nargs: 1 } as const;

/** `ikoma bundle create`: prints the pinned reference, which `deploy apply --bundle` takes. */
const command: CommandModule<GlobalArguments, CreateArguments> = {
  command: "create",
  describe: "Make a release bundle from a compose file, every image by digest",
  builder: (parser) =>
    // `--version` is this command's own here, not the CLI's.
    withKeyArguments(withRegistryArguments(parser.version(false)))
      .option("app", { ...neededText, describe: "Name of the app" })
      .option("version", {
        ...neededText,
        describe: "Version of the release (a label for people)",
      })
      .option("file", {
        ...list,
        alias: "f",
        describe: "Compose file; later ones go on top (default: the usual names)",
      })
      .option("project-directory", { ...oneText, describe: "Folder that its paths start from" })
      .option("profile", { ...list, default: empty, describe: "Compose profile that is on" })
      .option("image", { ...list, default: empty, describe: "Image of a built service: web=registry/shop:1.0" })
      .option("include-env-file", {
        ...list,
        default: empty,
        describe: "env_file whose values go into the bundle (no secrets!)",
      })
      .option("commit", { ...oneText, describe: "Commit that it was built from" })
      .option("repository", { ...oneText, describe: "Repository that it was built from" })
      .option("push", { ...oneText, describe: "Store it in a registry: registry/shop-bundle[:tag]" })
      .option("output", { ...oneText, alias: "o", describe: "Write it to a file" })
      .example("$0 bundle create --app shop --version v1 --image web=registry.example/shop:v1 -o shop.bundle.json", ""),
  handler: createAndStore,
};

export default command;

async function createAndStore(argv: CreateArguments): Promise<void> {
  const [{ createBundle }, { bundleView }, { parseAssignments }, { printResult }, { createProgress }] =
    await Promise.all([
      import("../../../core/bundle/create-bundle.ts"),
      import("./bundle-view.ts"),
      import("./assignments.ts"),
      import("../../output/envelope.ts"),
      import("../../output/progress.ts"),
    ]);
  const progress = createProgress(argv);
  const onWarning = (warning: string): void => {
    progress.message(warning, "warning");
  };
  try {
    // Before any work: what cannot be signed is not to be made either.
    const key = await readSigningKey(argv);
    const options = await optionsOf(argv, parseAssignments("--image", argv.image));
    const manifest = await createBundle({ ...options, onWarning });
    const { reference, signedBy } = await store(argv, manifest, key);
    const data = { reference, ...bundleView(manifest), ...(signedBy !== undefined && { signedBy }) };
    printResult({ kind: "BundleCreated", data, human: reference }, argv);
  } finally {
    progress.close();
  }
}

async function optionsOf(argv: CreateArguments, images: Record<string, string>): Promise<CreateBundleOptions> {
  const { commit, repository } = argv;
  const source = { ...(commit === undefined ? {} : { commit }), ...(repository === undefined ? {} : { repository }) };
  const folder = argv["project-directory"] ?? (argv.file === undefined ? argv.cwd : undefined);
  return {
    app: argv.app,
    version: argv.version,
    files: argv.file ?? [],
    ...(folder === undefined ? {} : { projectDirectory: folder }),
    profiles: argv.profile,
    images,
    includeEnvFiles: argv["include-env-file"],
    ...(Object.keys(source).length === 0 ? {} : { source }),
    registry: await registryOptions(argv),
  };
}

/** Stores it where it was asked for, and a signature beside it where there is a key. */
async function store(
  argv: CreateArguments,
  manifest: BundleManifest,
  key: KeyObject | undefined,
): Promise<{ reference: string; signedBy?: string }> {
  const references = await storeBundle(argv, manifest);
  // Of the two the registry's is the one to go on with.
  const reference = references.at(-1) ?? "";
  if (key === undefined) return { reference };
  const { signBundle } = await import("../../../core/signing/sign-bundle.ts");
  const options = await registryOptions(argv);
  const signed = await Promise.all(references.map((each) => signBundle(each, key, options)));
  return { reference, signedBy: signed[0]?.key ?? "" };
}

async function storeBundle(argv: CreateArguments, manifest: BundleManifest): Promise<string[]> {
  const { pushBundle, writeBundleFile } = await import("../../../core/bundle/bundle-store.ts");
  const { push, output, cwd } = argv;
  const file = output ?? (push === undefined ? join(cwd, `${manifest.app}.bundle.json`) : undefined);
  const written = file === undefined ? [] : [await writeBundleFile(manifest, file)];
  const pushed = push === undefined ? [] : [await pushBundle(manifest, push, await registryOptions(argv))];
  return [...written, ...pushed];
}
