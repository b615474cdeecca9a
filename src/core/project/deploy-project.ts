import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { bridgeStack } from "../config/bridge-names.ts";
import { nearestName } from "../config/explain-issues.ts";
import { readYaml } from "../config/read-yaml.ts";
import { chosenBackend } from "../engine/backend.ts";
import { IkomaError } from "../errors.ts";
import { errorCode } from "../system-error.ts";

/** Stacks that hold none of the user's apps, so none of them is the one that is meant when none is named. */
const namedStacks: readonly string[] = ["hosts", bridgeStack];

const projectFile = z.looseObject({
  name: z.string(),
  main: z.string().optional(),
  backend: z.looseObject({ url: z.string().optional() }).optional(),
});

/** The Pulumi project that a command works in, and the stack of it. */
export interface DeployProject {
  /** Folder of Pulumi.yaml, absolute. */
  readonly folder: string;
  readonly name: string;
  readonly stackName: string;
  /** Pulumi.<stack>.yaml, absolute. */
  readonly stackFile: string;
  /** Where the state is: `file://…`, `s3://…`; undefined where Pulumi itself would ask for a login. */
  readonly backendUrl: string | undefined;
}

/**
 * Finds the project in `folder` and its stack.
 *
 * @param stackName the one that was named; without it, the only one besides `hosts` and `bridge`
 * @throws CONFIG_MISSING without Pulumi.yaml, STACK_NOT_FOUND without the stack's file, USAGE where a stack must be named
 */
export async function findDeployProject(
  folder: string,
  stackName: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): Promise<DeployProject> {
  const project = await readProjectFile(folder);
  const chosen = await chooseStack(folder, stackName);
  return {
    folder,
    name: project.name,
    stackName: chosen,
    stackFile: join(folder, `Pulumi.${chosen}.yaml`),
    backendUrl: await chosenBackend(project.backend?.url, env),
  };
}

/**
 * Reads Pulumi.yaml.
 *
 * @throws CONFIG_MISSING, CONFIG_INVALID
 */
export async function readProjectFile(folder: string): Promise<z.infer<typeof projectFile>> {
  const path = join(folder, "Pulumi.yaml");
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    if (errorCode(cause) !== "ENOENT") throw cause;
    const hint = "Run in the folder of Pulumi.yaml, or name it with --cwd.";
    throw new IkomaError("CONFIG_MISSING", `There is no Pulumi.yaml in ${folder}.`, { hint, cause });
  });
  const read = projectFile.safeParse(readYaml(text, path).value);
  if (read.success) return read.data;
  throw new IkomaError("CONFIG_INVALID", `${path} cannot be read: ${z.prettifyError(read.error)}`);
}

async function chooseStack(folder: string, named: string | undefined): Promise<string> {
  const stacks = await listStacks(folder);
  if (named !== undefined) {
    if (stacks.includes(named)) return named;
    const nearest = nearestName(named, stacks);
    throw new IkomaError("STACK_NOT_FOUND", `There is no Pulumi.${named}.yaml in ${folder}.`, {
      hint: nearest === undefined ? `There are: ${stacks.join(", ") || "none"}.` : `Did you mean --stack ${nearest}?`,
    });
  }
  const [only, ...others] = stacks.filter((name) => !namedStacks.includes(name));
  if (only !== undefined && others.length === 0) return only;
  const hint = `Name one with --stack (or IKOMA_STACK): ${stacks.join(", ") || "there is none yet"}.`;
  throw new IkomaError("USAGE", "Which stack?", { hint });
}

async function listStacks(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.flatMap((name) => /^Pulumi\.([A-Za-z0-9_.-]+)\.yaml$/.exec(name)?.[1] ?? []).sort();
}
