import type { VolumeSpec } from "../../release/release-spec.ts";
import type { ComposeModel, ComposeMount } from "./compose-model.ts";
import type { Findings } from "./findings.ts";
import { isLocalMount } from "./local-texts.ts";
import type { LocalTexts } from "./local-texts.ts";

type Declared = ComposeModel["volumes"];

/** What mounts may refer to. */
export interface Mountable {
  declared: Declared;
  texts: LocalTexts;
}

/**
 * Checks a service's mounts, which compose has already written in the long form.
 *
 * @param path of the service, for messages.
 * @returns the names of the volumes that are used.
 */
export function checkMounts(
  path: string,
  mounts: readonly ComposeMount[],
  { declared, texts }: Mountable,
  findings: Findings,
): string[] {
  const at = `${path}.volumes`;
  for (const mount of mounts) {
    const problem = mountProblem(mount, declared, texts);
    if (problem !== undefined) findings.refuse(at, problem);
    else if (isLocalMount(mount)) findings.warn(at, localMountNote(mount));
    else if (mount.type === "bind") findings.warn(at, `${mount.source ?? ""} is a path of the host; it must be there.`);
  }
  return mounts.flatMap(({ type, source }) => (type === "volume" && source !== undefined ? [source] : []));
}

function localMountNote({ source = "", read_only: readOnly }: ComposeMount): string {
  const note = `${source} goes into the bundle as it is now`;
  return readOnly === true ? `${note}.` : `${note}, and is mounted read-only.`;
}

function mountProblem(mount: ComposeMount, declared: Declared, texts: LocalTexts): string | undefined {
  const { type, source = "", target } = mount;
  // Compose takes `v:/data` for a drive of Windows and makes an anonymous volume at the path `v:/data` of it.
  if (!target.startsWith("/"))
    return `${target} is no absolute path in the container (a volume's name needs two characters).`;
  switch (type) {
    case "tmpfs":
      return undefined;
    case "bind":
      return bindProblem(source, texts);
    case "volume":
      return volumeProblem(source, declared);
    default:
      return `mounts of type ${type} are not supported.`;
  }
}

const copyInstead =
  "Copy what is needed into the image (COPY in its Dockerfile), or use a volume or an absolute path of the host.";

function bindProblem(source: string, texts: LocalTexts): string | undefined {
  if (source.startsWith("/")) return undefined;
  if (source.startsWith("$")) {
    return `${source} cannot be told to be a path of the host. Start it with a slash: /srv/${source}.`;
  }
  const found = texts.mounts.get(source);
  if (found instanceof Map && found.size > 0) return undefined;
  if (found instanceof Map) {
    return `${source} is an empty folder here, and nothing of it would be on the host. For data that is to stay, declare a volume.`;
  }
  const { reason = "", instead = copyInstead } = found !== undefined && "reason" in found ? found : {};
  const why = reason === "" ? "" : ` (${reason})`;
  return `${source} is a path of this folder, which the host does not have, and it cannot go into the bundle${why}. ${instead}`;
}

function volumeProblem(source: string, declared: Declared): string | undefined {
  if (source === "") return undefined;
  if (source.includes("$")) {
    return `${source}: without its value it cannot be told whether this is a path or a volume. Write the long form (type, source, target) or no variable.`;
  }
  if (!Object.hasOwn(declared, source)) return `the volume ${source} is not declared under \`volumes:\`.`;
  return undefined;
}

/** The declarations of the volumes that are used, as the bundle keeps them. */
export function volumeSpecs(
  used: Iterable<string>,
  declared: Declared,
  findings: Findings,
): Record<string, VolumeSpec> {
  const names = [...new Set(used)].filter((name) => Object.hasOwn(declared, name)).sort();
  return Object.fromEntries(names.map((name) => [name, volumeSpec(name, declared[name] ?? {}, findings)]));
}

function volumeSpec(name: string, declaration: NonNullable<Declared[string]>, findings: Findings): VolumeSpec {
  const at = `volumes.${name}`;
  const { driver, driver_opts: options, external } = declaration;
  if (driver !== undefined && driver !== null && driver !== "local")
    findings.refuse(at, "only local volumes are supported.");
  if (typeof options === "object" && options !== null && Object.keys(options).length > 0) {
    findings.refuse(at, "`driver_opts` are not supported. Make the volume on the host and declare it `external`.");
  }
  const given = typeof declaration.name === "string" ? declaration.name : legacyName(external);
  if (given?.includes("$") === true)
    findings.refuse(at, `its name ${given} cannot hold a variable: it is found again by its name.`);
  return {
    external: external === true || legacyName(external) !== undefined,
    ...(given === undefined ? {} : { name: given }),
  };
}

/** `external: {name: …}`, from before compose files had `name`. */
function legacyName(external: unknown): string | undefined {
  if (typeof external !== "object" || external === null || !("name" in external)) return undefined;
  return typeof external.name === "string" ? external.name : undefined;
}
