import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { settingsPath } from "../../../core/config/bridge-names.ts";
import type { DeployProject } from "../../../core/project/deploy-project.ts";
import { editAppSettings, writeStackFile, type AppEdit } from "../../../core/project/deploy-stack-file.ts";

/** What a run left in the stack's file. */
export interface KeptPin {
  /** Name of the file in the project's folder. */
  readonly file: string;
  readonly bundle: unknown;
  /** False where the file said the same already. */
  readonly isChanged: boolean;
}

/** Writes the settings that a run went well with into the stack's file, so that the next one starts from them. */
export async function keepEdit({ stackFile, stackName }: DeployProject, edit: AppEdit): Promise<KeptPin> {
  // Read again: somebody may have worked on it while the deploy ran.
  const before = await readFile(stackFile, "utf8");
  const after = editAppSettings(before, edit, settingsPath(stackName, edit.app));
  if (after !== before) await writeStackFile(stackFile, after);
  return { file: basename(stackFile), bundle: edit.set.bundle, isChanged: after !== before };
}
