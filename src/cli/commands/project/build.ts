import type { CommandModule } from "yargs";
import type { ProjectBuild } from "../../../core/project/lovable/build-project.ts";
import { neededText, oneText, type GlobalArguments } from "../../global-options.ts";
import { listenForInterrupt } from "../../interrupt.ts";
import { repeatable } from "../bundle/registry-arguments.ts";

interface BuildArguments extends GlobalArguments {
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
const list = { type: "string", array: true, nargs: 1, default: none } as const;

/** `ikoma project build`: the image of a recognised project, without a Dockerfile being written into it. */
const command: CommandModule<GlobalArguments, BuildArguments> = {
  command: "build",
  describe: "Build the image of a Lovable project, and push it; no file is written into the project",
  builder: (parser) =>
    parser
      .parserConfiguration(repeatable)
      .option("tag", { ...neededText, alias: "t", describe: "Name of the image: registry/shop:v1" })
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
  const [{ parseImageReference }, { requireProject }, { buildProject }, { printResult }, { createProgress }] =
    await Promise.all([
      import("../../../core/adapters/registry/image-reference.ts"),
      import("../../../core/project/lovable/recognise.ts"),
      import("../../../core/project/lovable/build-project.ts"),
      import("../../output/envelope.ts"),
      import("../../output/progress.ts"),
    ]);
  const image = parseImageReference(argv.tag);
  const options = await buildOptions(argv);
  const project = await requireProject(argv.cwd);
  const progress = createProgress(argv);
  using interrupt = listenForInterrupt({
    onCancel: () => {
      progress.message("Cancelling: the build is told to end.", "warning");
    },
  });
  let digest: string | undefined;
  try {
    for (const { level, text } of project.notes) progress.message(text, level);
    digest = await buildProject(project, { ...options, signal: interrupt.signal }, (step) => {
      progress.message(step);
    });
  } finally {
    progress.close();
  }
  const reference = digest === undefined ? argv.tag : `${image.familiarName}@${digest}`;
  const { generation } = project;
  printResult({ kind: "ImageBuilt", data: { reference, tag: argv.tag, generation }, human: reference }, argv);
}

async function buildOptions(argv: BuildArguments): Promise<Omit<ProjectBuild, "signal">> {
  const [path, { parseAssignments }] = await Promise.all([import("node:path"), import("../bundle/assignments.ts")]);
  const { npmrc, "ca-cert": ca, "node-image": nodeImage, "web-image": webImage } = argv;
  return {
    tag: argv.tag,
    push: argv.push,
    platform: argv.platform,
    values: {
      given: parseAssignments("--value", argv.value, /^([A-Za-z_]\w*)=(.*)$/s),
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
