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
  refuseUnsupported(project);
  const files = buildFiles(project);
  const texts = {
    Dockerfile: files.dockerfile,
    ".dockerignore": files.dockerignore,
    "compose.yaml": projectCompose(project),
  };
  const [written, kept]: [string[], string[]] = [[], []];
  for (const [name, text] of Object.entries(texts)) {
    const isNew = await writeNew(join(project.folder, name), text);
    (isNew ? written : kept).push(name);
  }
  return { written, kept };
}
