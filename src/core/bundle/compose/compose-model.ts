import { access } from "node:fs/promises";
import { devNull } from "node:os";
import { dirname, join, resolve } from "node:path";
import * as z from "zod";
import { IkomaError } from "../../errors.ts";
import { runCompose } from "./compose-command.ts";
import type { ComposeCommand } from "./compose-command.ts";

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const namesOrMap = z.union([z.array(z.string()), z.record(z.string(), scalar)]);

/** A mount, as compose prints it even where it was written short. */
const composeMount = z.looseObject({
  type: z.string(),
  source: z.string().optional(),
  target: z.string(),
  read_only: z.boolean().optional(),
});
export type ComposeMount = z.infer<typeof composeMount>;

const composePort = z.union([
  z.string(),
  z.number(),
  z.looseObject({ target: z.union([z.string(), z.number()]), published: z.union([z.string(), z.number()]).optional() }),
]);
export type ComposePort = z.infer<typeof composePort>;

const composeFile = z.looseObject({
  source: z.string(),
  target: z.string().optional(),
  uid: z.union([z.string(), z.number()]).optional(),
  gid: z.union([z.string(), z.number()]).optional(),
  mode: z.union([z.string(), z.number()]).optional(),
});
/** What a service says of a secret or a config that it wants as a file. */
export type ComposeFile = z.infer<typeof composeFile>;

const fileSource = z
  .looseObject({ environment: z.string().optional(), file: z.string().optional(), content: z.string().optional() })
  .nullable();
/** Where the content of a secret or a config is from. */
export type ComposeFileSource = z.infer<typeof fileSource>;

/** A service of `docker compose config --no-interpolate`; only what the bundle has to understand is spelled out. */
const composeService = z.looseObject({
  image: z.string().optional(),
  build: z.unknown().optional(),
  environment: namesOrMap.nullish(),
  env_file: z.array(z.looseObject({ path: z.string(), required: z.boolean().default(true) })).optional(),
  ports: z.array(composePort).nullish(),
  expose: z.array(z.union([z.string(), z.number()])).nullish(),
  volumes: z.array(composeMount).nullish(),
  networks: z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).nullish(),
  depends_on: z
    .record(z.string(), z.looseObject({ condition: z.string(), required: z.boolean().default(true) }))
    .nullish(),
  healthcheck: z.looseObject({ test: z.union([z.string(), z.array(z.string())]).nullish() }).nullish(),
  labels: namesOrMap.nullish(),
  links: z.array(z.string()).nullish(),
  secrets: z.array(composeFile).nullish(),
  configs: z.array(composeFile).nullish(),
  profiles: z.array(z.string()).optional(),
  "x-ikoma": z.unknown().optional(),
});
export type ComposeService = z.infer<typeof composeService>;

const composeModel = z.looseObject({
  services: z.record(z.string(), composeService).default({}),
  volumes: z.record(z.string(), z.looseObject({}).nullable()).default({}),
  networks: z.record(z.string(), z.looseObject({}).nullable()).default({}),
  secrets: z.record(z.string(), fileSource).default({}),
  configs: z.record(z.string(), fileSource).default({}),
  "x-ikoma": z.unknown().optional(),
});
export type ComposeModel = z.infer<typeof composeModel>;

/** Names that compose looks for, in its order. An override file (`compose.override.yaml`) is for development. */
export const usualNames = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/** Which compose files to read, absolute, and the folder that their paths start from. */
export interface ComposeFiles {
  files: readonly string[];
  projectDirectory: string;
}

/**
 * Finds the files of a project.
 *
 * @returns no files where none is named, and none of the usual names is in the folder
 * @throws IkomaError COMPOSE_INVALID when one that is named is not there.
 */
export async function locateComposeFiles(
  files: readonly string[],
  directory: string | undefined,
): Promise<ComposeFiles> {
  const named = files.map((file) => resolve(file));
  const base = resolve(directory ?? (named[0] === undefined ? "." : dirname(named[0])));
  for (const file of named) {
    if (!(await exists(file))) throw new IkomaError("COMPOSE_INVALID", `There is no compose file ${file}.`);
  }
  if (named.length > 0) return { files: named, projectDirectory: base };
  for (const name of usualNames) {
    if (await exists(join(base, name))) return { files: [join(base, name)], projectDirectory: base };
  }
  return { files: [], projectDirectory: base };
}

/**
 * Has compose read its files, with `extends`, `include` and merges resolved and every variable left as written.
 * No path is made absolute and nothing gets the project's name, so that the result is the same everywhere; a `.env`
 * beside the file is not read.
 *
 * @throws IkomaError COMPOSE_INVALID in compose's own words.
 */
export async function readComposeModel(compose: ComposeCommand, project: ComposeFiles): Promise<ComposeModel> {
  const files = project.files.flatMap((file) => ["--file", file]);
  const where = ["--project-directory", project.projectDirectory, "--env-file", devNull];
  const flags = ["--no-interpolate", "--no-path-resolution", "--no-normalize", "--format", "json"];
  const { code, stdout, stderr } = await runCompose(compose, [...files, ...where, "config", ...flags]);
  if (code !== 0) throw new IkomaError("COMPOSE_INVALID", `Compose cannot read the file: ${unquoted(stderr.trim())}`);
  const parsed = composeModel.safeParse(JSON.parse(stdout));
  if (parsed.success) return parsed.data;
  throw new IkomaError("COMPOSE_INVALID", `The compose file has an unexpected form:\n${z.prettifyError(parsed.error)}`);
}

/** Of a file of variables (an included project's `.env`) compose quotes the line that it does not understand. */
function unquoted(message: string): string {
  return message.replace(/(failed to read [^\n]*: line \d+): [^]*/, "$1 is not understood");
}

/** The services that are on with these profiles; one without profiles always is. */
export function activeServices(model: ComposeModel, profiles: readonly string[]): Record<string, ComposeService> {
  const known = new Set(Object.values(model.services).flatMap((service) => service.profiles ?? []));
  const unknown = profiles.find((profile) => profile !== "*" && !known.has(profile));
  if (unknown !== undefined) {
    throw new IkomaError("USAGE", `No service has the profile ${unknown}.`, {
      hint: known.size === 0 ? "The compose file has no profiles." : `Profiles are: ${[...known].sort().join(", ")}.`,
    });
  }
  const isActive = ({ profiles: own = [] }: ComposeService): boolean => {
    return own.length === 0 || profiles.includes("*") || own.some((profile) => profiles.includes(profile));
  };
  return Object.fromEntries(Object.entries(model.services).filter(([, service]) => isActive(service)));
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
