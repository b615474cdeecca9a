import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { IkomaError } from "../errors.ts";
import { backendFolder } from "../engine/backend.ts";
import type { DeployProject } from "../project/deploy-project.ts";

/** What a stack exported, and when. */
export interface StackExports {
  readonly outputs: Readonly<Record<string, unknown>>;
  /** When the state was written, Unix time in ms; undefined where only the engine knows. */
  readonly writtenAtMs: number | undefined;
  /** The kind of the operations that a killed run left open. */
  readonly pendingOperations: readonly string[];
}

/** Marks a secret in a checkpoint; the value is that of `sdk/go/common/resource` in pulumi/pulumi. */
const signatureKey = "4dabf18193072939515e22adb298388d";
const shownForSecrets = "[secret]";
const rootStackType = "pulumi:pulumi:Stack";

const checkpoint = z.looseObject({
  checkpoint: z.looseObject({
    latest: z
      .looseObject({
        manifest: z.looseObject({ time: z.string() }),
        resources: z
          .array(z.looseObject({ type: z.string(), outputs: z.record(z.string(), z.unknown()).optional() }))
          .nullish(),
        pending_operations: z.array(z.looseObject({ type: z.string() })).nullish(),
      })
      .nullish(),
  }),
});

/**
 * Reads a stack's exports. With a `file://` backend straight from the checkpoint (a few ms, no engine, nothing of
 * `@pulumi` loaded); otherwise the engine is asked. Secrets are masked.
 *
 * @throws STACK_NOT_FOUND where the stack has no state yet
 */
export async function readStackExports(project: DeployProject): Promise<StackExports> {
  const folder = backendFolder(project);
  const text = folder === undefined ? undefined : await readCheckpoint(folder, project);
  return text === undefined ? printedOutputs(project) : parseCheckpoint(text, project);
}

/** undefined where there is no plain checkpoint: it may be compressed, in the layout of old versions, or not exist. */
async function readCheckpoint(folder: string, { name, stackName }: DeployProject): Promise<string | undefined> {
  const path = join(folder, ".pulumi", "stacks", name, `${stackName}.json`);
  return readFile(path, "utf8").catch(() => undefined);
}

function parseCheckpoint(text: string, { stackName }: DeployProject): StackExports {
  const read = checkpoint.safeParse(JSON.parse(text));
  if (!read.success) {
    throw new IkomaError("INTERNAL", `The state of ${stackName} has an unknown shape: ${z.prettifyError(read.error)}`);
  }
  const { latest } = read.data.checkpoint;
  const root = latest?.resources?.find((resource) => resource.type === rootStackType);
  const writtenAtMs = latest == null ? Number.NaN : Date.parse(latest.manifest.time);
  return {
    outputs: withoutSecrets(root?.outputs ?? {}),
    writtenAtMs: Number.isNaN(writtenAtMs) || writtenAtMs < 0 ? undefined : writtenAtMs,
    pendingOperations: latest?.pending_operations?.map((operation) => operation.type) ?? [],
  };
}

async function printedOutputs({ folder, stackName }: DeployProject): Promise<StackExports> {
  const { askEngine } = await import("../engine/engine-process.ts");
  const args = ["stack", "output", "--json", "--non-interactive", "--stack", stackName];
  const text = await askEngine({ args, workDir: folder }).catch((error: unknown) => {
    if (!(error instanceof IkomaError) || error.code !== "STACK_NOT_FOUND") throw error;
    throw new IkomaError("STACK_NOT_FOUND", `The stack ${stackName} has no state.`, {
      hint: "Nothing was deployed yet. See what would be: `ikoma deploy plan`.",
      cause: error,
    });
  });
  const outputs = z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  return { outputs, writtenAtMs: undefined, pendingOperations: [] };
}

function withoutSecrets(outputs: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(outputs).map(([key, value]) => [key, masked(value)]));
}

function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (typeof value !== "object" || value === null) return value;
  return signatureKey in value ? shownForSecrets : withoutSecrets({ ...value });
}
