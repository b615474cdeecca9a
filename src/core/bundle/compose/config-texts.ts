import { readFile, stat } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { longestFile } from "../../deployer/release-spec.ts";
import { IkomaError } from "../../errors.ts";
import type { ComposeModel, ComposeService } from "./compose-model.ts";

/**
 * The contents of the files that `configs:` names and a service uses, by name of the config. A config is no secret: it
 * goes into the bundle, as what the image has.
 *
 * @throws IkomaError COMPOSE_INVALID for a file that is missing, too long or no text
 */
export async function readConfigTexts(
  { configs }: ComposeModel,
  services: Readonly<Record<string, ComposeService>>,
  projectDirectory: string,
): Promise<Map<string, string>> {
  const used = new Set(
    Object.values(services).flatMap((service) => (service.configs ?? []).map(({ source }) => source)),
  );
  const texts = new Map<string, string>();
  for (const name of used) {
    const file = configs[name]?.file;
    if (file !== undefined) texts.set(name, await readText(`configs.${name}`, file, projectDirectory));
  }
  return texts;
}

async function readText(path: string, file: string, projectDirectory: string): Promise<string> {
  if (file.includes("$")) throw new IkomaError("COMPOSE_UNSUPPORTED", `${path}.file: ${file} cannot hold a variable.`);
  const absolute = isAbsolute(file) ? file : resolve(projectDirectory, file);
  const size = await stat(absolute).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
  if (size === undefined) throw new IkomaError("COMPOSE_INVALID", `${path}.file: there is no file ${file}.`);
  const bytes = size > longestFile ? undefined : await readFile(absolute);
  const text = bytes && decoded(bytes);
  if (text !== undefined) return text;
  const reason = bytes === undefined ? `it has ${size} bytes, at most ${longestFile} are taken` : "it is no text";
  throw new IkomaError("COMPOSE_UNSUPPORTED", `${path}.file: ${file} cannot go into a bundle: ${reason}.`, {
    hint: "Copy the file into the image (COPY in its Dockerfile).",
  });
}

function decoded(bytes: Buffer): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
