import { createHash } from "node:crypto";
import * as z from "zod";
import type { BackupView } from "../../agent/protocol/backup-views.ts";
import type { Result } from "../../agent/protocol/methods.ts";
import type { OperationInput, OperationKind, OperationResult, Part } from "../../agent/protocol/operations.ts";
import { canonicalJson } from "../../core/canonical-json.ts";
import { fromWire } from "../../core/transport/rpc-channel.ts";
import type { Computed, ResourceCall, ResourceHandler } from "../resource-handler.ts";

type Removal =
  "bundle.remove" | "accessories.remove" | "backup.remove" | "migration.remove" | "release.remove" | "site.remove";

/** What an operation is told of the run that it is part of. */
export interface RunFacts {
  /** Texts that its log must not show. */
  redact: string[];
  /** Only where there are some: few operations take it. */
  recreateVolumes?: string[];
}

/** What makes one part of an app different from the others. */
export interface AppPart<Schema extends z.ZodObject, Apply extends OperationKind> {
  token: string;
  part: Part;
  inputs: Schema;
  silent?: readonly (keyof z.infer<Schema> & string)[];
  apply: Apply;
  remove: Removal;
  app(inputs: z.infer<Schema>): string;
  /** What the operation takes besides what is said of the run. */
  operation(inputs: z.infer<Schema>, run: RunFacts): OperationInput<Apply> | Promise<OperationInput<Apply>>;
  /** What `part.read` is to compare with. */
  expected(inputs: z.infer<Schema>): unknown;
  /** What of the operation's result belongs into the state. */
  computed?(result: OperationResult<Apply>): Computed;
}

const storedGeneration = z.looseObject({ generation: z.number().int().nullable().catch(null) });

/**
 * Bundle, accessories, release and site of an app are the same kind of thing to Pulumi: read and compared by the
 * agent, changed by one operation that is started by compare-and-swap on the part's generation.
 */
export function appPart<Schema extends z.ZodObject, Apply extends OperationKind>(
  definition: AppPart<Schema, Apply>,
): ResourceHandler<Schema> {
  const { token, part } = definition;

  async function readPart(call: ResourceCall, app: string, expected: unknown): Promise<Result<"part.read">> {
    const agent = await call.host.agent();
    return agent.call("part.read", { app, part, expected });
  }

  async function apply(call: ResourceCall, inputs: z.infer<Schema>, generation: number | null): Promise<Computed> {
    const agent = await call.host.agent();
    const recreateVolumes = [...call.recreateVolumes];
    const facts = { redact: [...call.secrets], ...(recreateVolumes.length > 0 && { recreateVolumes }) };
    const input = await definition.operation(inputs, facts);
    const key = operationKey(call.urn, input, generation);
    const { onEvent, signal } = call;
    const outcome = await agent.runOperation(definition.apply, {
      key,
      input,
      expectedGeneration: generation,
      onEvent,
      signal,
    });
    return { generation: outcome.generation, ...definition.computed?.(outcome.result) };
  }

  return {
    token,
    inputs: definition.inputs,
    identity: ["app"],
    silent: definition.silent ?? [],

    async read(call, state) {
      const view = await readPart(call, definition.app(state.inputs), definition.expected(state.inputs));
      if (!view.exists) return { exists: false };
      const { drift, unread } = view;
      if (unread !== undefined)
        return { exists: true, unread: fromWire(unread, unread.message), known: { generation: view.generation } };
      return { exists: true, drift, computed: { ...state.computed, ...seen(view) } };
    },

    /** Adopts what stands there already: the agent restarts nothing that is as asked. */
    async create(call, inputs) {
      const app = definition.app(inputs);
      const { generation } = await readPart(call, app, null);
      return { id: app, computed: await apply(call, inputs, generation) };
    },

    update: (call, state, inputs) => apply(call, inputs, storedGeneration.parse(state.computed).generation),

    async delete(call, state) {
      const agent = await call.host.agent();
      const input = { app: definition.app(state.inputs) };
      const { generation } = storedGeneration.parse(state.computed);
      const key = operationKey(call.urn, { ...input, remove: true }, generation);
      const { onEvent, signal } = call;
      await agent.runOperation(definition.remove, { key, input, expectedGeneration: generation, onEvent, signal });
    },
  };
}

/** What of a part's view is kept in the state. */
function seen(view: Result<"part.read">): Computed {
  const { generation, number, digest, services, backup } = view;
  return {
    generation,
    ...(Object.keys(services).length > 0 && { status: services }),
    ...(number !== undefined && { number }),
    ...(digest !== undefined && { digest }),
    ...(backup !== undefined && { newest: newestBackup(backup) }),
  };
}

/** What of the newest backup the state keeps: nothing that changes by itself, such as its age. */
export function newestBackup({ id, takenAtMs, verified }: BackupView): Computed {
  return { id, takenAtMs, ...(verified !== undefined && { level: verified.level }) };
}

/**
 * The same call again (its answer was lost) is the same operation; the same inputs on a later generation
 * (v1, v2, v1 again) are another.
 */
function operationKey(urn: string, input: unknown, generation: number | null): string {
  return createHash("sha256")
    .update(canonicalJson([urn, input, generation]))
    .digest("hex");
}
