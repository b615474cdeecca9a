import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import * as z from "zod";
import { IkomaError } from "../errors.ts";
import { appName } from "../release/release-spec.ts";
import { backendFolder, type DeployProject } from "../project/deploy-project.ts";

const shownService = z.strictObject({
  kind: z.string(),
  image: z.string(),
  state: z.string(),
  healthy: z.boolean(),
  replicas: z.number().int(),
});

const exportedApp = z.strictObject({
  /** Number of the deployment that serves, in the ledger of its host. */
  number: z.number().int().positive(),
  version: z.string(),
  /** Pinned reference of the bundle that it was made from. */
  bundle: z.string(),
  /** Keyed digest over the whole release; equal only for equal releases on one host. */
  digest: z.string(),
  host: z.string(),
  /** Missing for an app without a host name of its own. */
  url: z.url().optional(),
  services: z.record(z.string(), shownService),
});

/**
 * The status contract: what `pulumi stack output --json` gives of an environment and of the stack `hosts`, whoever ran
 * the last update. docs/reference/stack-outputs.md tells it to people. Fields may come; none goes or changes its meaning.
 */
export const stackOutputs = {
  environment: z.strictObject({
    apps: z.record(appName, exportedApp),
  }),
  bridge: z.strictObject({
    apps: z.record(appName, exportedApp),
    bridge: z.strictObject({
      /** Address of its API: `ikoma:setup.<host>.api.url` of the stack `hosts`. */
      api: z.url(),
      host: z.string(),
    }),
  }),
  hosts: z.strictObject({
    hosts: z.record(
      z.string(),
      z.strictObject({
        agentVersion: z.string(),
        engineVersion: z.string(),
        composeVersion: z.string(),
        edgeVersion: z.string(),
      }),
    ),
  }),
};

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
  return text === undefined ? askEngine(project) : parseCheckpoint(text, project);
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

async function askEngine({ folder, stackName }: DeployProject): Promise<StackExports> {
  const args = ["stack", "output", "--json", "--non-interactive", "--stack", stackName];
  const env = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" };
  try {
    const { stdout } = await promisify(execFile)("pulumi", args, { cwd: folder, env });
    return {
      outputs: z.record(z.string(), z.unknown()).parse(JSON.parse(stdout)),
      writtenAtMs: undefined,
      pendingOperations: [],
    };
  } catch (cause) {
    throw engineRefusal(cause, stackName);
  }
}

function engineRefusal(cause: unknown, stackName: string): IkomaError {
  const { code, stderr } = z
    .looseObject({ code: z.unknown(), stderr: z.string().default("") })
    .catch({ code: undefined, stderr: "" })
    .parse(cause);
  if (code === "ENOENT") return new IkomaError("ENGINE_MISSING", "The command `pulumi` was not found.", { cause });
  if (stderr.includes("no stack named")) {
    const hint = "Nothing was deployed yet. See what would be: `ikoma deploy plan`.";
    return new IkomaError("STACK_NOT_FOUND", `The stack ${stackName} has no state.`, { hint });
  }
  return new IkomaError("ENGINE_FAILED", `pulumi stack output failed: ${stderr.trim()}`, { cause });
}

function withoutSecrets(outputs: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(outputs).map(([key, value]) => [key, masked(value)]));
}

function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (typeof value !== "object" || value === null) return value;
  return signatureKey in value ? shownForSecrets : withoutSecrets({ ...value });
}
