import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod";
import type { Drift } from "../../agent/protocol/views.ts";
import { canonicalJson } from "../../core/canonical-json.ts";
import { IkomaError, toIkomaError } from "../../core/errors.ts";
import { appName } from "../../core/release/release-spec.ts";
import { selfHostedSupabase } from "../../core/services/supabase/self-hosted/self-hosted-settings.ts";
import { supabaseConfig } from "../../core/services/supabase/supabase-config.ts";
import type { SupabaseDifference, SupabaseFacts, SupabaseRun } from "../../core/services/supabase/supabase-mode.ts";
import type { AppliedState, Computed, ResourceCall, ResourceHandler } from "../resource-handler.ts";
import { formatPath } from "../wire/property-path.ts";

const supabaseInputs = z.strictObject({
  app: appName,
  settings: z.discriminatedUnion("mode", [supabaseConfig, selfHostedSupabase]),
  /** Values of the secrets that the settings name. */
  secrets: z.record(z.string(), z.string()).default({}),
  /** It is gone back to an earlier release: what is wrong with Supabase holds that up no longer than it must. */
  isRollback: z.boolean().default(false),
});
type Inputs = z.infer<typeof supabaseInputs>;

// A read is part of every plan: a Supabase that is down must not hold up a rollback, which does not touch it.
const whenReading = { answerMs: 3_000, retries: 0, comingUpMs: 0 };
const whenChanging = { answerMs: 30_000, retries: 5, comingUpMs: 10 * 60_000 };

/** Most runs have no Supabase: what speaks with one is loaded where there is one. */
const loadModes = () => import("../../core/services/supabase/ensure-supabase.ts");

/** The Supabase of an app. What is read is what the settings name; deleting leaves everything as it is. */
export const supabase: ResourceHandler<typeof supabaseInputs> = {
  token: "ikoma:data:Supabase",
  inputs: supabaseInputs,
  identity: ["app"],
  silent: ["isRollback"],

  async read(call, { inputs, computed }) {
    try {
      const { readSupabase } = await loadModes();
      const { differences, facts } = await readSupabase(
        inputs.settings,
        runOf(call, inputs, { known: refIn(computed) }),
      );
      return { exists: true, drift: differences.map(driftOf), computed: withFacts(computed, facts) };
    } catch (thrown) {
      if (call.signal.aborted) throw thrown;
      return { exists: true, unread: toIkomaError(thrown) };
    }
  },

  /** Tells what would be set of what is there, which the state may know nothing of. */
  async plan(call, inputs, state) {
    // What it waits for comes up with the deploy that is planned.
    if (inputs.settings.mode === "self-hosted") return;
    const { readSupabase } = await loadModes();
    const known = state && knownRef(state, inputs);
    const { differences, refusal } = await readSupabase(inputs.settings, runOf(call, inputs, { known })).catch(
      (thrown: unknown) => {
        warn(call, `not looked at beforehand: ${toIkomaError(thrown).message}`);
        return { differences: [], refusal: undefined };
      },
    );
    if (refusal !== undefined && !inputs.isRollback) throw refusal;
    for (const { path, message } of differences) warn(call, `sets ${formatPath(path)}: ${message}`);
  },

  create: async (call, inputs) => ({ id: inputs.app, computed: await ensure(call, inputs, {}) }),
  update: (call, state, inputs) => ensure(call, inputs, state.computed, knownRef(state, inputs)),

  delete(call) {
    tell(call, "everything stays as it is");
    return Promise.resolve();
  },
};

async function ensure(call: ResourceCall, inputs: Inputs, before: Computed, known?: string): Promise<Computed> {
  const patience = inputs.isRollback ? whenReading : whenChanging;
  try {
    const { ensureSupabase } = await loadModes();
    return { ...(await ensureSupabase(inputs.settings, runOf(call, inputs, { patience, known }))) };
  } catch (thrown) {
    if (!inputs.isRollback || call.signal.aborted) throw thrown;
    warn(call, `not set, and the rollback goes on: ${toIkomaError(thrown).message}`);
    return before;
  }
}

/** What is not told stays as it was: a project that is gone has to be known still, so as not to be made anew, empty. */
function withFacts(computed: Computed, facts: SupabaseFacts): Computed {
  return { ...computed, ...Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) };
}

/** Of the same project still: whoever asks for another one does not mean that. */
function knownRef({ inputs: before, computed }: AppliedState<Inputs>, now: Inputs): string | undefined {
  const isSame = canonicalJson(madeBy(before.settings)) === canonicalJson(madeBy(now.settings));
  return isSame ? refIn(computed) : undefined;
}

function madeBy(settings: Inputs["settings"]): unknown {
  if (settings.mode !== "cloud" || settings.create === undefined) return null;
  const { organization, name } = settings.create;
  return { organization, name };
}

function refIn(computed: Computed): string | undefined {
  return z.looseObject({ ref: z.string().optional().catch(undefined) }).parse(computed).ref;
}

function runOf(
  call: ResourceCall,
  { app, secrets }: Inputs,
  { patience = whenReading, known }: { patience?: SupabaseRun["patience"]; known?: string | undefined },
): SupabaseRun {
  const { signal } = call;
  return {
    app,
    secrets,
    known,
    signal,
    patience,
    now: Date.now,
    pause: (ms) =>
      pause(ms, undefined, { signal }).catch((cause: unknown) => {
        throw new IkomaError("CANCELLED", "The work on Supabase was stopped.", { cause });
      }),
    tell: (message) => {
      tell(call, message);
    },
    agent: () => call.host.agent(),
  };
}

function tell(call: ResourceCall, message: string): void {
  call.onEvent({ seq: 1, atMs: Date.now(), type: "step", name: "supabase", message });
}

function warn(call: ResourceCall, message: string): void {
  call.onEvent({ seq: 1, atMs: Date.now(), type: "warning", name: "supabase", message });
}

function driftOf({ path, ...difference }: SupabaseDifference): Drift {
  return { path: formatPath(["settings", ...path]), ...difference };
}
