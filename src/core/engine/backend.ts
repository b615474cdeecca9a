import { readdir, readFile, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import * as z from "zod";

const projectFile = z.looseObject({ backend: z.looseObject({ url: z.string().optional() }).optional() });
const credentialsFile = z.looseObject({ current: z.string().optional() });

/**
 * Where the engine keeps a project's state: what the environment says, else the project, else the last login.
 *
 * @param projectUrl `backend.url` of Pulumi.yaml
 * @returns `file://…`, `s3://…`; undefined where Pulumi itself would ask for a login
 */
export async function chosenBackend(
  projectUrl: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  return firstText(env.PULUMI_BACKEND_URL, projectUrl) ?? (await loggedInBackend(env));
}

/** What `pulumi login` wrote last; a file that cannot be read is the engine's to tell. */
async function loggedInBackend(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const path = join(env.PULUMI_HOME ?? join(homedir(), ".pulumi"), "credentials.json");
  try {
    return firstText(credentialsFile.parse(JSON.parse(await readFile(path, "utf8"))).current);
  } catch {
    return undefined;
  }
}

/** A backend, and the folder of the project that names it. */
export interface NamedBackend {
  readonly backendUrl: string | undefined;
  readonly folder: string;
}

/**
 * Folder of a `file://` backend. As in Pulumi, `~` is the home and a relative path counts from where the engine
 * runs, which for us is always the project's folder.
 *
 * @returns undefined for the other kinds of backend
 */
export function backendFolder({ backendUrl, folder }: NamedBackend): string | undefined {
  const prefix = "file://";
  if (backendUrl?.startsWith(prefix) !== true) return undefined;
  const path = backendUrl.slice(prefix.length).split("?")[0] ?? "";
  return path.startsWith("~") ? join(homedir(), path.slice(1)) : resolve(folder, path);
}

/**
 * Removes what a killed engine left half written beside the files of a `file://` backend. Each has a second one, with
 * its content type, that the store empties before it writes it, and reads before the file: an empty one, and the engine
 * says "EOF" of a state that is whole. (The state itself is put in its place at once.) Without it all is read as ever.
 */
export async function removeTornAttributes(workDir: string, env: NodeJS.ProcessEnv): Promise<void> {
  const folder = backendFolder({
    backendUrl: await chosenBackend(await projectBackend(workDir), env),
    folder: workDir,
  });
  if (folder === undefined) return;
  const state = join(folder, ".pulumi");
  // Not the histories: they are long, and no run reads them.
  const files = await Promise.all([
    filesOf(state, false),
    filesOf(join(state, "stacks"), true),
    filesOf(join(state, "locks"), true),
  ]);
  const attributes = files.flat().filter((path) => path.endsWith(".attrs"));
  await Promise.all(attributes.map(removeIfTorn));
}

/** A project that cannot be read is the engine's to tell. */
async function projectBackend(workDir: string): Promise<string | undefined> {
  try {
    return projectFile.safeParse(parse(await readFile(join(workDir, "Pulumi.yaml"), "utf8"))).data?.backend?.url;
  } catch {
    return undefined;
  }
}

async function filesOf(folder: string, recursive: boolean): Promise<string[]> {
  const entries = await readdir(folder, { recursive, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function removeIfTorn(path: string): Promise<void> {
  try {
    JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) await rm(path, { force: true });
  }
}

function firstText(...candidates: readonly (string | undefined)[]): string | undefined {
  return candidates.find((each) => each !== undefined && each !== "");
}
