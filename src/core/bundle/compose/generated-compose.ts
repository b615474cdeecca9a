import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IkomaError } from "../../errors.ts";
import { projectCompose } from "../../project/lovable/project-compose.ts";
import { recogniseProject } from "../../project/lovable/recognise.ts";
import { locateComposeFiles, usualNames, type ComposeFiles } from "./compose-model.ts";

/** Where a bundle's compose files are. */
export interface ComposePlace {
  readonly files?: readonly string[];
  readonly projectDirectory?: string;
  readonly onWarning?: (message: string) => void;
}

/**
 * Gives a project's compose files to `use`. A recognised project that has none gets the one that it would have, for
 * this time: nothing is written into its folder.
 *
 * @throws PROJECT_UNKNOWN where there is neither, saying what was looked for
 */
export async function withComposeFiles<T>(place: ComposePlace, use: (files: ComposeFiles) => Promise<T>): Promise<T> {
  const located = await locateComposeFiles(place.files ?? [], place.projectDirectory);
  if (located.files.length > 0) return use(located);
  const text = await generated(located.projectDirectory, place.onWarning);
  const scratch = await mkdtemp(join(tmpdir(), "ikoma-compose-"));
  try {
    const file = join(scratch, "compose.yaml");
    await writeFile(file, text);
    return await use({ files: [file], projectDirectory: located.projectDirectory });
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function generated(folder: string, onWarning: ComposePlace["onWarning"]): Promise<string> {
  const recognition = await recogniseProject(folder);
  if (recognition.kind === "recognised") {
    const { generation, reasons } = recognition.project;
    const known = `Lovable, generation ${generation} (${reasons.join(", ")})`;
    onWarning?.(`${folder} has no compose file and is taken as ${known}: one service, web.`);
    return projectCompose(recognition.project);
  }
  const { looked, hint } = recognition;
  throw new IkomaError(
    "PROJECT_UNKNOWN",
    `There is no compose file in ${folder}, and it is no project of Lovable that is known: ${looked.join("; ")}.`,
    {
      hint: `Give a compose file with --file (looked for ${usualNames.join(", ")}). ${hint}`,
      details: { looked },
    },
  );
}
