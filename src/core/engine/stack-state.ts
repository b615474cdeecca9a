import * as z from "zod";
import { IkomaError } from "../errors.ts";
import { askEngine } from "./engine-process.ts";

/** A stack, and how to call the engine for it. */
export interface StackPlace {
  /** Folder of Pulumi.yaml. */
  readonly workDir: string;
  readonly stackName: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

const resource = z.looseObject({
  urn: z.string(),
  type: z.string(),
  custom: z.boolean().default(false),
  parent: z.string().optional(),
  /** URN and id of its provider, as `urn::id`. */
  provider: z.string().optional(),
  inputs: z.record(z.string(), z.unknown()).default({}),
});
/** A resource as the state has it; secrets are encrypted. */
export type StateResource = z.infer<typeof resource>;

const exported = z.looseObject({
  deployment: z.looseObject({ resources: z.array(resource).nullish() }).nullish(),
});

/** The resources in a stack's state, whatever its backend; undefined where there is no such stack. Needs no passphrase. */
export async function readState(place: StackPlace): Promise<StateResource[] | undefined> {
  try {
    const text = await pulumi(place, ["stack", "export"]);
    return exported.parse(JSON.parse(text)).deployment?.resources ?? [];
  } catch (error) {
    if (error instanceof IkomaError && error.code === "STACK_NOT_FOUND") return undefined;
    throw error;
  }
}

/** Takes resources out of the state; nothing is done about what they stand for. */
export async function removeFromState(place: StackPlace, urns: readonly string[]): Promise<void> {
  if (urns.length > 0) await pulumi(place, ["state", "remove", "--yes", ...urns]);
}

function pulumi({ workDir, stackName, env }: StackPlace, args: readonly string[]): Promise<string> {
  return askEngine({ args: [...args, "--stack", stackName, "--non-interactive"], workDir, env });
}
