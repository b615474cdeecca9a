import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { Result } from "../../agent/protocol.ts";
import { IkomaError } from "../../core/errors.ts";
import { appName } from "../../core/release/release-spec.ts";
import type { Computed, ReadOutcome, ResourceCall, ResourceHandler } from "../resource-handler.ts";

export const supabaseInputs = z.strictObject({
  app: appName,
  mode: z.literal("self-hosted"),
  /** Part (`auth`) → name of its service. */
  parts: z.record(z.string(), z.string()),
  /** Changes with what is deployed: the reason to look again. */
  release: z.string(),
  anonKey: z.string(),
  /** Secrets by name that running containers have to have. */
  secrets: z.record(z.string(), z.string()),
  /** How long all parts together may take until they answer, in seconds. */
  timeoutSeconds: z.number().positive().max(3600).default(120),
});
type Inputs = z.infer<typeof supabaseInputs>;
type View = Result<"supabase.read">;

const pollMs = 500;

/**
 * A self-hosted Supabase that works: after each change all its parts are asked, through its gateway, on the host. What
 * brings it there are the app's accessories and release.
 */
export const supabaseSelfHosted: ResourceHandler<typeof supabaseInputs> = {
  token: "ikoma:data:Supabase",
  inputs: supabaseInputs,
  identity: ["app"],
  silent: ["timeoutSeconds"],

  async read(call, { inputs, computed }): Promise<ReadOutcome> {
    const { parts } = await ask(call, inputs);
    const drift = problemsOf(parts).map(([part, problem]) => ({ path: "parts", message: `${part}: ${problem}` }));
    return { exists: true, drift, computed };
  },

  create: async (call, inputs) => ({ id: inputs.app, computed: await untilWell(call, inputs) }),
  update: (call, _state, inputs) => untilWell(call, inputs),
  delete: () => Promise.resolve(),
};

async function ask(call: ResourceCall, { app, parts, anonKey, secrets }: Inputs): Promise<View> {
  const agent = await call.host.agent();
  const hashes = Object.entries(secrets).map(([name, value]) => [name, sha256(value)] as const);
  return agent.call("supabase.read", { app, parts, anonKey, secrets: Object.fromEntries(hashes) });
}

/** @throws SUPABASE_UNHEALTHY naming each part that does not answer in time */
async function untilWell(call: ResourceCall, inputs: Inputs): Promise<Computed> {
  const giveUpAtMs = Date.now() + inputs.timeoutSeconds * 1000;
  for (;;) {
    const { parts } = await ask(call, inputs);
    const problems = problemsOf(parts);
    if (problems.length === 0) return { services: Object.keys(parts).sort() };
    if (Date.now() >= giveUpAtMs) throw unhealthy(inputs, parts, problems);
    await sleep(pollMs, undefined, { signal: call.signal });
  }
}

function problemsOf(parts: View["parts"]): [string, string][] {
  return Object.entries(parts).flatMap(([part, { problem }]) => (problem === undefined ? [] : [[part, problem]]));
}

function unhealthy({ app, timeoutSeconds }: Inputs, parts: View["parts"], problems: [string, string][]): IkomaError {
  const told = problems.map(([part, problem]) => `${part} (${parts[part]?.service ?? ""}): ${problem}`);
  return new IkomaError(
    "SUPABASE_UNHEALTHY",
    `The Supabase of ${app} is not well after ${timeoutSeconds} s: ${told.join("; ")}.`,
    { details: { parts: problems.map(([part]) => part) } },
  );
}

function sha256(value: string): string {
  return createHash("sha256").update(value).digest("hex");
}
