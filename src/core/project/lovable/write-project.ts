import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { writeNew } from "../new-file.ts";
import { buildFiles, refuseUnsupported } from "./build-project.ts";
import type { LovableProject } from "./lovable-project.ts";
import { projectCompose } from "./project-compose.ts";

/**
 * Writes the files of a recognised project that its image can do without, for who wants to change them. A file that
 * is there stays as it is.
 *
 * @throws PROJECT_UNSUPPORTED
 */
export async function writeProjectFiles(project: LovableProject): Promise<{ written: string[]; kept: string[] }> {
  const there = new Set(await readdir(project.folder));
  const [written, kept]: [string[], string[]] = [[], []];
  for (const [name, make] of filesOf(project)) {
    const isNew = !there.has(name) && (await writeNew(join(project.folder, name), make()));
    (isNew ? written : kept).push(name);
  }
  return { written, kept };
}

/** Names and how each is made, which is asked only of those that are not there. */
function filesOf(project: LovableProject): [name: string, make: () => string][] {
  const compose: [string, () => string] = ["compose.yaml", () => projectCompose(project)];
  const { dockerfile, dockerignore } = project.ownFiles;
  // What another Dockerfile leaves out is not ours to say.
  if (dockerfile !== undefined) return [["Dockerfile", () => dockerfile], compose];
  refuseUnsupported(project);
  const files = buildFiles(project);
  // BuildKit takes the list beside the Dockerfile before the project's own, which stays as it is and is part of it.
  const listName = dockerignore === undefined ? ".dockerignore" : "Dockerfile.dockerignore";
  return [["Dockerfile", () => files.dockerfile], [listName, () => files.dockerignore], compose];
}
