import { IkomaError } from "../../errors.ts";
import { buildImage } from "./build-image.ts";
import { collectBuildValues, type ValueSources } from "./build-values.ts";
import { dockerfile, dockerignore } from "./dockerfile.ts";
import type { LovableProject } from "./lovable-project.ts";
import { supabaseHostsIn } from "./public-value.ts";
import { isSupabaseClient } from "./source-scan.ts";

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
}

/**
 * Builds the image of a recognised project, with its own Dockerfile where it has one.
 *
 * @throws PROJECT_UNSUPPORTED, BUILD_VALUES_INVALID, BUILD_REFUSED before anything is built, and as `buildImage`
 */
export async function buildProject(
  project: LovableProject,
  build: ProjectBuild,
  onStep: (step: string) => void,
): Promise<void> {
  const values = await collectBuildValues(project.buildVariables, build.values);
  const backends = build.backends.flatMap((each) => hostsOf(each));
  const isOwn = project.ownFiles.dockerfile;
  if (!isOwn) {
    refuseUnsupported(project);
    refuseOtherBackends(project, [...Object.values(values).flatMap(supabaseHostsIn), ...backends]);
  }
  await buildImage(
    {
      folder: project.folder,
      files: isOwn ? undefined : buildFiles(project, emptyNames(values)),
      ...{ tag: build.tag, push: build.push, platform: build.platform, secrets: build.secrets },
      buildArgs: { ...values, ...build.baseImages, BACKENDS: backends.join(" ") },
    },
    onStep,
  );
}

/** The Dockerfile and the list of what stays out of the build; the project's own list is kept, and comes first. */
export function buildFiles(
  project: LovableProject,
  mayBeEmpty: ReadonlySet<string> = new Set(),
): { dockerfile: string; dockerignore: string } {
  return {
    dockerfile: dockerfile({ ...project, mayBeEmpty }),
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
  if (pinnedPreset === undefined || /^node[-_]?(server)?$/.test(pinnedPreset)) return;
  const reason = `The Vite configuration pins \`preset: "${pinnedPreset}"\`, and so builds for ${pinnedPreset}.`;
  throw new IkomaError("PROJECT_UNSUPPORTED", reason, {
    hint: "Take the preset out of vite.config: the build then says node-server itself.",
    details: { preset: pinnedPreset },
  });
}

/** Known before the build: Lovable's client is in every page. What the build made is looked at as well. */
function refuseOtherBackends({ sourceHosts }: LovableProject, meant: readonly string[]): void {
  const other = sourceHosts.find(({ host, file }) => isSupabaseClient(file) && !meant.includes(host));
  if (other === undefined) return;
  throw new IkomaError("BUILD_REFUSED", `${other.file} has the backend ${other.host} written into it.`, {
    hint: `Have it read import.meta.env.VITE_SUPABASE_URL; or, to stay with that backend, add --backend ${other.host}.`,
    details: { host: other.host, file: other.file },
  });
}

function hostsOf(backend: string): string[] {
  const found = supabaseHostsIn(backend);
  if (found.length > 0) return found;
  throw new IkomaError("USAGE", `--backend ${backend}: this is no host of Supabase.`, {
    hint: "Write it like abcdefghijklmnopqrst.supabase.co. Backends with other names need not be said.",
  });
}

function emptyNames(values: Readonly<Record<string, string>>): Set<string> {
  return new Set(Object.entries(values).flatMap(([name, value]) => (value === "" ? [name] : [])));
}
