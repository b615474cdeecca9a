import { IkomaError } from "../../errors.ts";
import { buildImage, type ImageBuild } from "./build-image.ts";
import { nodePreset } from "./build-scripts.ts";
import { collectBuildValues, type ValueSources } from "./build-values.ts";
import { dockerfile, dockerignore, neverBuilt } from "./dockerfile.ts";
import type { LovableProject } from "./lovable-project.ts";
import { readDockerfile } from "./own-dockerfile.ts";
import { supabaseHostsIn } from "./public-value.ts";

/** What a project's image is made of besides the project. */
export interface ProjectBuild {
  readonly tag: string;
  readonly push: boolean;
  readonly platform: string | undefined;
  readonly values: ValueSources;
  /** Supabase hosts (or addresses) that the app may talk to besides those that the values name. */
  readonly backends: readonly string[];
  /** Images to start from in the place of the usual ones. */
  readonly baseImages: Readonly<Partial<Record<"NODE_IMAGE" | "WEB_IMAGE", string>>>;
  readonly secrets: Readonly<Record<string, string>>;
  /** Ends the build when it is aborted. */
  readonly signal: AbortSignal;
}

/** What is built, and with which values. */
type Plan = Pick<ImageBuild, "files"> & { readonly values: Readonly<Record<string, string>> };

/**
 * Builds the image of a recognised project, with its own Dockerfile where it has one.
 *
 * @returns the digest that it was pushed with; undefined where it was not
 * @throws PROJECT_UNSUPPORTED, BUILD_VALUES_INVALID before anything is built, and as `buildImage`
 */
export async function buildProject(
  project: LovableProject,
  build: ProjectBuild,
  onStep: (step: string) => void,
): Promise<string | undefined> {
  const own = project.ownFiles.dockerfile;
  const { files, values } =
    own === undefined ? await ours(project, build.values) : await theirs(project, own, build.values, onStep);
  const backends = build.backends.flatMap((each) => hostsOf(each));
  return buildImage(
    {
      ...{ folder: project.folder, files, tag: build.tag, push: build.push, platform: build.platform },
      ...{ secrets: build.secrets, signal: build.signal },
      buildArgs: { ...values, ...build.baseImages, BACKENDS: backends.join(" ") },
    },
    onStep,
  );
}

async function ours(project: LovableProject, sources: ValueSources): Promise<Plan> {
  refuseUnsupported(project);
  const values = await collectBuildValues(project.buildVariables, sources);
  return { values, files: buildFiles(project, Object.keys(values)) };
}

/** Its own Dockerfile is the author's, and built as it is. What it would lose or take in unseen is not left to it. */
async function theirs(
  { buildVariables, ownFiles }: LovableProject,
  text: string,
  sources: ValueSources,
  onStep: (step: string) => void,
): Promise<Plan> {
  const { args, env } = readDockerfile(text);
  const asked = buildVariables.filter(({ name }) => args.has(name) || !env.has(name));
  const values = await collectBuildValues(asked, sources);
  refuseLost([...asked.map(({ name }) => name), ...Object.keys(sources.given)].filter((name) => !args.has(name)));
  const unused = Object.keys(values).filter((name) => !args.has(name));
  if (unused.length > 0) onStep(`Not used, as the Dockerfile has no ARG for it: ${unused.join(", ")}`);
  return { values, files: { dockerfile: text, dockerignore: `${ownFiles.dockerignore ?? ""}\n${neverBuilt}` } };
}

/**
 * The Dockerfile and the list of what stays out of the build; the project's own list is kept, and comes first.
 *
 * @param given names of the values that the build gets, beside those that the source reads
 */
export function buildFiles(project: LovableProject, given: readonly string[] = []): ImageBuild["files"] {
  return {
    dockerfile: dockerfile({ ...project, given }),
    dockerignore: `${project.ownFiles.dockerignore ?? ""}\n${dockerignore}`.trimStart(),
  };
}

/**
 * Refuses what cannot run on a server of one's own.
 *
 * @throws PROJECT_UNSUPPORTED
 */
export function refuseUnsupported({ pinnedPreset, hasBuild }: LovableProject): void {
  if (!hasBuild) throw new IkomaError("PROJECT_UNSUPPORTED", "package.json has no script `build`.");
  if (pinnedPreset === undefined || nodePreset.test(pinnedPreset)) return;
  const reason = `The Vite configuration pins \`preset: "${pinnedPreset}"\`, and so builds for ${pinnedPreset}.`;
  throw new IkomaError("PROJECT_UNSUPPORTED", reason, {
    hint: "Take the preset out of vite.config: the build then says node-server itself.",
    details: { preset: pinnedPreset },
  });
}

/** A build that does not take a value is green all the same, and its image talks to whatever the source falls back to. */
function refuseLost(lost: readonly string[]): void {
  const names = [...new Set(lost)];
  if (names.length === 0) return;
  const list = names.join(", ");
  throw new IkomaError("BUILD_VALUES_INVALID", `The project's own Dockerfile has no ARG for ${list}.`, {
    hint: `Write \`ARG ${names[0]}\` into the stage that builds, before the command; one that is fixed there is \`ENV ${names[0]}=…\`.`,
    details: { names },
  });
}

function hostsOf(backend: string): string[] {
  const found = supabaseHostsIn(backend);
  if (found.length > 0) return found;
  throw new IkomaError("USAGE", `--backend ${backend}: this is no host of Supabase.`, {
    hint: "Write it like abcdefghijklmnopqrst.supabase.co. Backends with other names need not be said.",
  });
}
