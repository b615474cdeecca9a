import { readdir, readFile, stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve } from "node:path";
import { longestFile } from "../../release/release-spec.ts";
import { IkomaError } from "../../errors.ts";
import type { ComposeModel, ComposeMount, ComposeService } from "./compose-model.ts";
import { holdsPrivateKey, isEnvironmentFile } from "./secret-look.ts";

/** A folder that is mounted may hold so many files: more is a program or data, not settings. */
const mostFiles = 64;

/**
 * What of the project's folder goes into the bundle as text: files that `configs:` names, and files and small folders
 * that a service mounts by a relative path. They are no secrets, as what the image has.
 */
export interface LocalTexts {
  /** By name of the config. */
  readonly configs: ReadonlyMap<string, string>;
  /** By source of the mount: texts by their path in it (empty for the file itself), or why it cannot be taken. */
  readonly mounts: ReadonlyMap<string, ReadonlyMap<string, LocalText> | NotTaken>;
}

/** Why something cannot go into the bundle, and what to write instead, where that is not to copy it into the image. */
export interface NotTaken {
  readonly reason: string;
  readonly instead?: string;
}

/** A file of the project's folder. */
export interface LocalText {
  readonly text: string;
  readonly isExecutable: boolean;
}

/** Whether a mount is of a path of the project's folder, which no host has. */
export function isLocalMount({ type, source = "" }: ComposeMount): boolean {
  return type === "bind" && !source.startsWith("/") && !source.startsWith("$");
}

/**
 * Reads them.
 *
 * @throws IkomaError COMPOSE_INVALID for a config's file that is missing, COMPOSE_UNSUPPORTED for one that is no short text
 */
export async function readLocalTexts(
  { configs }: ComposeModel,
  services: Readonly<Record<string, ComposeService>>,
  projectDirectory: string,
): Promise<LocalTexts> {
  const used = Object.values(services).flatMap((service) => (service.configs ?? []).map(({ source }) => source));
  const files = new Set(used.filter((name) => configs[name]?.file !== undefined));
  const mounts = Object.values(services).flatMap((service) => (service.volumes ?? []).filter(isLocalMount));
  const sources = new Set(mounts.map(({ source = "" }) => source));
  const read = await Promise.all([
    Promise.all(
      [...files].map(
        async (name) => [name, await configText(name, configs[name]?.file ?? "", projectDirectory)] as const,
      ),
    ),
    Promise.all(
      [...sources].map(async (source) => [source, await mountTexts(resolve(projectDirectory, source))] as const),
    ),
  ]);
  return { configs: new Map(read[0]), mounts: new Map(read[1]) };
}

async function configText(name: string, file: string, projectDirectory: string): Promise<string> {
  const path = `configs.${name}.file`;
  if (file.includes("$")) throw new IkomaError("COMPOSE_UNSUPPORTED", `${path}: ${file} cannot hold a variable.`);
  const absolute = isAbsolute(file) ? file : resolve(projectDirectory, file);
  const isThere = await stat(absolute).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isThere) throw new IkomaError("COMPOSE_INVALID", `${path}: there is no file ${file}.`);
  const text = await shortText(absolute, longestFile);
  if (typeof text === "string") return text;
  throw new IkomaError("COMPOSE_UNSUPPORTED", `${path}: ${file} cannot go into a bundle: ${text.reason}.`, {
    hint: text.instead ?? "Copy the file into the image (COPY in its Dockerfile).",
  });
}

async function mountTexts(absolute: string): Promise<ReadonlyMap<string, LocalText> | NotTaken> {
  const found = await stat(absolute).catch(() => undefined);
  if (found === undefined) return { reason: "it is not there" };
  const files = found.isDirectory() ? await filesBelow(absolute) : [absolute];
  if (files.length > mostFiles) return { reason: `it has more than ${mostFiles} files` };
  const texts = new Map<string, LocalText>();
  let left = longestFile;
  for (const file of files) {
    const text = await shortText(file, left);
    if (typeof text !== "string")
      return found.isDirectory() ? { ...text, reason: `in ${relative(absolute, file)} ${text.reason}` } : text;
    left -= text.length;
    texts.set(relative(absolute, file), { text, isExecutable: ((await stat(file)).mode & 0o111) !== 0 });
  }
  return texts;
}

/** At most one more than may be taken. */
async function filesBelow(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    files.push(...(entry.isDirectory() ? await filesBelow(path) : [path]));
    if (files.length > mostFiles) break;
  }
  return files.sort();
}

async function shortText(file: string, most: number): Promise<string | NotTaken> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() !== true) return { reason: "it is no file" };
  if (isEnvironmentFile(file)) return environmentFile;
  if (found.size > most) return { reason: `it has ${found.size} bytes, of at most ${longestFile}` };
  const text = decoded(await readFile(file));
  if (text === undefined) return { reason: "it is no text" };
  return holdsPrivateKey(text) ? privateKey : text;
}

const environmentFile: NotTaken = {
  reason: "it is a file of variables, in which people keep secrets",
  instead: "Name it under `env_file:` instead: the bundle then has the names of its variables, and no value.",
};
const privateKey: NotTaken = {
  reason: "it holds a private key",
  instead: "Make it a secret (`secrets:` of the compose file): the bundle then has its name, and no value.",
};

function decoded(bytes: Buffer): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
