import { isAbsolute, resolve } from "node:path";
import { IkomaError } from "../../errors.ts";
import type { ComposeCommand } from "./compose-command.ts";
import type { ComposeService } from "./compose-model.ts";
import { readEnvFile } from "./env-file.ts";
import type { FileVariables } from "./environment.ts";

/** Where `env_file`s are, and which of them may give their values to the bundle (absolute paths). */
export interface EnvFileOptions {
  projectDirectory: string;
  included: readonly string[];
}

/**
 * The variables that each service gets from its `env_file`s, later files on top. A missing file that is not required
 * is passed over, as compose does.
 *
 * @throws IkomaError COMPOSE_INVALID for a missing or unreadable file, USAGE for an included file that nobody uses.
 */
export async function readServiceFiles(
  compose: ComposeCommand,
  services: Readonly<Record<string, ComposeService>>,
  { projectDirectory, included }: EnvFileOptions,
): Promise<Map<string, FileVariables>> {
  const contents = new Map<string, FileVariables | undefined>();
  const result = new Map<string, FileVariables>();
  for (const [name, service] of Object.entries(services)) {
    const merged = new Map<string, string | undefined>();
    for (const { path, required } of service.env_file ?? []) {
      const file = locate(name, path, projectDirectory);
      if (!contents.has(file)) contents.set(file, await readEnvFile(compose, file, included.includes(file)));
      const variables = contents.get(file);
      if (variables === undefined && required) throw missingFile(name, path);
      for (const [variable, value] of variables ?? []) merged.set(variable, value);
    }
    result.set(name, merged);
  }
  const unused = included.find((file) => !contents.has(file));
  if (unused === undefined) return result;
  throw new IkomaError("USAGE", `--include-env-file ${unused}: no service has this env_file.`);
}

function locate(service: string, path: string, projectDirectory: string): string {
  if (!path.includes("$")) return isAbsolute(path) ? path : resolve(projectDirectory, path);
  throw new IkomaError("COMPOSE_UNSUPPORTED", `services.${service}.env_file: ${path} cannot hold a variable.`);
}

function missingFile(service: string, path: string): IkomaError {
  return new IkomaError("COMPOSE_INVALID", `services.${service}.env_file: there is no file ${path}.`, {
    hint: "Its names are needed, not its values: list them under `environment:` instead, or set `required: false`.",
  });
}
