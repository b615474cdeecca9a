import type { CommandModule } from "yargs";
import type { ProjectBuild } from "../../../core/project/lovable/build-project.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { registryOptions, withRegistryArguments, type RegistryArguments } from "../bundle/registry-arguments.ts";

interface BuildArguments extends GlobalArguments, RegistryArguments {
  readonly tag: string;
  readonly push: boolean;
  readonly value: string[];
  readonly values: string | undefined;
  readonly backend: string[];
  readonly platform: string | undefined;
  readonly "node-image": string | undefined;
  readonly "web-image": string | undefined;
  readonly npmrc: string | undefined;
  readonly "ca-cert": string | undefined;
}

const none: string[] = [];
// As `oneText`, for an option that is always there.
const lastText = (given: string | string[]): string => [given].flat().at(-1) ?? "";
const list = { type: "string", array: true, nargs: 1, default: none } as const;

/** `ikoma project build`: the image of a recognised project, without a Dockerfile being written into it. */
const command: CommandModule<GlobalArguments, BuildArguments> = {
  command: "build",
  describe: "Build the image of a Lovable project, and push it; no file is written into the project",
  builder: (parser) =>
    withRegistryArguments(parser)
      .option("tag", {
        ...oneText,
        alias: "t",
        demandOption: true,
        coerce: lastText,
        describe: "Name of the image: registry/shop:v1",
      })
      .option("push", { type: "boolean", default: false, describe: "Push it to its registry, and print its digest" })
      .option("value", { ...list, describe: "A VITE_… value, which every visitor gets: VITE_SUPABASE_URL=https://…" })
      .option("values", {
        ...oneText,
        defaultDescription: "the environment",
        describe: "File of lines NAME=value to take VITE_… values from",
      })
      .option("backend", { ...list, describe: "Host of Supabase that it may talk to besides those of the values" })
      .option("platform", { ...oneText, describe: "Platform of the server: linux/amd64, linux/arm64" })
      .option("node-image", {
        ...oneText,
        defaultDescription: "node:24-bookworm-slim, or as the project asks",
        describe: "Image with Node.js to build (and run) in",
      })
      .option("web-image", {
        ...oneText,
        defaultDescription: "debian:bookworm-slim",
        describe: "Image that a single-page app is served from; nginx is put into it where it has none",
      })
      .option("npmrc", { ...oneText, describe: "File with a registry's mirror or login, for the install only" })
      .option("ca-cert", { ...oneText, describe: "Certificate authorities that the install is to trust" })
      .example("$0 project build -t registry.example/shop:v1 --push --values values.env", ""),
  handler: build,
};

export default command;

async function build(argv: BuildArguments): Promise<void> {
  const [{ requireProject }, { buildProject }, { printResult }, { createProgress }] = await Promise.all([
    import("../../../core/project/lovable/recognise.ts"),
    import("../../../core/project/lovable/build-project.ts"),
    import("../../output/envelope.ts"),
    import("../../output/progress.ts"),
  ]);
  const options = await buildOptions(argv);
  const project = await requireProject(argv.cwd);
  const progress = createProgress(argv);
  try {
    for (const { level, text } of project.notes) progress.message(text, level);
    await buildProject(project, options, (step) => {
      progress.message(step);
    });
  } finally {
    progress.close();
  }
  const reference = argv.push ? await pinned(argv) : argv.tag;
  const { generation } = project;
  printResult({ kind: "ImageBuilt", data: { reference, tag: argv.tag, generation }, human: reference }, argv);
}

async function buildOptions(argv: BuildArguments): Promise<ProjectBuild> {
  const [path, { parseValues }, { parseImageReference }] = await Promise.all([
    import("node:path"),
    import("./values.ts"),
    import("../../../core/adapters/registry/image-reference.ts"),
  ]);
  parseImageReference(argv.tag);
  const { npmrc, "ca-cert": ca, "node-image": nodeImage, "web-image": webImage } = argv;
  return {
    tag: argv.tag,
    push: argv.push,
    platform: argv.platform,
    values: {
      given: parseValues(argv.value),
      file: argv.values === undefined ? undefined : path.resolve(argv.cwd, argv.values),
      env: process.env,
    },
    backends: argv.backend,
    baseImages: {
      ...(nodeImage === undefined ? {} : { NODE_IMAGE: nodeImage }),
      ...(webImage === undefined ? {} : { WEB_IMAGE: webImage }),
    },
    secrets: {
      ...(npmrc === undefined ? {} : { npmrc: path.resolve(argv.cwd, npmrc) }),
      ...(ca === undefined ? {} : { ca: path.resolve(argv.cwd, ca) }),
    },
  };
}

/** What the registry has now under the tag. */
async function pinned(argv: BuildArguments): Promise<string> {
  const { resolveImages } = await import("../../../core/bundle/image-digests.ts");
  const images = await resolveImages(new Map([["web", argv.tag]]), await registryOptions(argv));
  return images.get("web") ?? argv.tag;
}
