import { existsSync } from "node:fs";
import { lstat, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { IkomaError } from "../errors.ts";
import { readProjectFile } from "./deploy-project.ts";
import { writeNew } from "./new-file.ts";
import { linkFiles, programPath, projectFiles, type ProjectPlan } from "./project-files.ts";

/** What was done to a folder. */
export interface InitialisedProject {
  readonly folder: string;
  /** Names of the files that were made. */
  readonly written: readonly string[];
  /** Names of those that were there already and stay as they are. */
  readonly kept: readonly string[];
  /** Whether plain `pulumi` finds the program: false where an own Pulumi.yaml names another one. */
  readonly isLinked: boolean;
}

/**
 * Makes a folder a project: Pulumi.yaml, one file for each environment, and the link to the program for plain
 * `pulumi`. A file that exists is never touched, so it can be repeated, and is on each machine that clones the project.
 */
export async function initProject(folder: string, plan: ProjectPlan): Promise<InitialisedProject> {
  const [written, kept]: [string[], string[]] = [[], []];
  for (const [name, text] of Object.entries(projectFiles(plan))) {
    const isNew = await writeNew(join(folder, name), text);
    (isNew ? written : kept).push(name);
  }
  const { main } = await readProjectFile(folder);
  const isLinked = main === programPath;
  if (isLinked) await linkProgram(join(folder, dirname(programPath)));
  return { folder, written, kept, isLinked };
}

/** Pulumi's language host looks for the SDK from the program's folder on, so the program's own one is linked there. */
async function linkProgram(folder: string): Promise<void> {
  const programFile = findProgram();
  const sdk = createRequire(programFile).resolve("@pulumi/pulumi/package.json");
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(linkFiles(programFile))) await writeFile(join(folder, name), text);
  const link = join(folder, "node_modules");
  const isFolder = await lstat(link).then(
    (found) => !found.isSymbolicLink(),
    () => false,
  );
  if (isFolder) return;
  await rm(link, { force: true });
  await symlink(dirname(dirname(dirname(sdk))), link);
}

/** The program that belongs to this command: beside it when it is installed, its source in a checkout. */
function findProgram(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const found = ["program.mjs", "stacks/index.ts"].map((name) => join(folder, name)).find((path) => existsSync(path));
    if (found !== undefined) return found;
    if (folder === dirname(folder)) throw new IkomaError("INTERNAL", "The program for plain pulumi is not installed.");
  }
}
