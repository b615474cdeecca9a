import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parseDocument } from "yaml";
import * as z from "zod";
import { IkomaError } from "../../errors.ts";
import type { ComposeCommand } from "./compose-command.ts";
import type { ComposeFiles, ComposeModel } from "./compose-model.ts";
import { readEnvFile } from "./env-file.ts";

const paths = z.union([z.string(), z.array(z.string())]).transform((given) => [given].flat());
const include = z.union([
  z.string().transform((path) => ({ path: [path], project_directory: undefined, env_file: undefined })),
  z.looseObject({ path: paths, project_directory: z.string().optional(), env_file: paths.optional() }),
]);
const includes = z
  .looseObject({ include: z.array(include).nullish() })
  .nullish()
  .catch(undefined);

/**
 * Refuses values that compose took from the `.env` of an included project. Of the project itself no value is read;
 * for what it includes compose has no such option, and fills in `- NAME` of a service's environment.
 *
 * @throws IkomaError COMPOSE_UNSUPPORTED naming file and variables
 */
export async function refuseIncludedValues(
  compose: ComposeCommand,
  { files, projectDirectory }: ComposeFiles,
  { services }: ComposeModel,
): Promise<void> {
  const written = Object.values(services).flatMap(({ environment }) => (Array.isArray(environment) ? environment : []));
  const set = new Set(written.flatMap((item) => (item.includes("=") ? [item.slice(0, item.indexOf("="))] : [])));
  for (const file of await environmentFiles(files, projectDirectory)) {
    const variables = await readEnvFile(compose, file, false);
    const names = [...(variables?.keys() ?? [])].filter((name) => set.has(name));
    if (names.length === 0) continue;
    throw new IkomaError(
      "COMPOSE_UNSUPPORTED",
      `include: compose takes ${names.join(", ")} from ${file}, and the values would be in the bundle.`,
      {
        hint: "Say `include: [{ path: …, env_file: /dev/null }]`, or make the bundle where that file is not, as in CI.",
        details: { variables: names },
      },
    );
  }
}

/** The files that compose reads variables from for what these compose files include, and for what that includes. */
async function environmentFiles(files: readonly string[], folder: string, seen = new Set<string>()): Promise<string[]> {
  const found: string[] = [];
  for (const file of files.filter((each) => !seen.has(each))) {
    seen.add(file);
    const text = await readFile(file, "utf8").catch(() => "");
    for (const { path, project_directory: named, env_file: given } of includes.parse(parseDocument(text).toJS())
      ?.include ?? []) {
      const included = path.map((each) => resolve(folder, each));
      const itsFolder = named === undefined ? dirname(included[0] ?? folder) : resolve(folder, named);
      found.push(...(given ?? [resolve(itsFolder, ".env")]).map((each) => resolve(folder, each)));
      found.push(...(await environmentFiles(included, itsFolder, seen)));
    }
  }
  return [...new Set(found)].filter((each) => each !== "/dev/null");
}
