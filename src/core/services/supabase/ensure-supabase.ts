import { IkomaError } from "../../errors.ts";
import { cloud } from "./cloud.ts";
import { external } from "./external.ts";
import { selfHosted } from "./self-hosted/self-hosted.ts";
import type { SelfHostedSupabase } from "./self-hosted/self-hosted-settings.ts";
import type { SupabaseConfig } from "./supabase-config.ts";
import type { SupabaseDifference, SupabaseFacts, SupabaseMode, SupabaseRun } from "./supabase-mode.ts";

/** What of a Supabase differs from its settings, and what it is found by. Changes nothing. */
export interface SupabaseReading {
  readonly differences: readonly SupabaseDifference[];
  readonly facts: SupabaseFacts;
  /** Why making it so would be refused. */
  readonly refusal: IkomaError | undefined;
}

/** @throws IkomaError when it cannot be looked at */
export function readSupabase(
  settings: SupabaseConfig | SelfHostedSupabase,
  run: SupabaseRun,
): Promise<SupabaseReading> {
  switch (settings.mode) {
    case "external":
      return reading(external, settings, run);
    case "cloud":
      return reading(cloud, settings, run);
    case "self-hosted":
      return reading(selfHosted, settings, run);
  }
}

/**
 * Makes a Supabase what its settings say. What is so already is left alone.
 *
 * @throws IkomaError SUPABASE_REFUSED also where a change was taken and yet is not there; whatever else a mode throws
 */
export function ensureSupabase(
  settings: SupabaseConfig | SelfHostedSupabase,
  run: SupabaseRun,
): Promise<SupabaseFacts> {
  switch (settings.mode) {
    case "external":
      return ensured(external, settings, run);
    case "cloud":
      return ensured(cloud, settings, run);
    case "self-hosted":
      return ensured(selfHosted, settings, run);
  }
}

async function reading<Settings, Observed>(
  mode: SupabaseMode<Settings, Observed>,
  settings: Settings,
  run: SupabaseRun,
): Promise<SupabaseReading> {
  const observed = await mode.observe(settings, run);
  const differences = mode.plan(settings, observed, run.secrets);
  const refusal = mode.refusal(settings, observed, differences);
  return { differences, facts: mode.facts(settings, observed), refusal };
}

async function ensured<Settings, Observed>(
  mode: SupabaseMode<Settings, Observed>,
  settings: Settings,
  run: SupabaseRun,
): Promise<SupabaseFacts> {
  const before = await mode.observe(settings, run);
  const differences = mode.plan(settings, before, run.secrets);
  if (differences.length === 0) return mode.facts(settings, before);
  const refusal = mode.refusal(settings, before, differences);
  if (refusal !== undefined) throw refusal;
  await mode.apply(settings, before, differences, run);
  const after = await mode.observe(settings, run);
  const [left] = mode.plan(settings, after, run.secrets);
  if (left === undefined) return mode.facts(settings, after);
  throw new IkomaError("SUPABASE_REFUSED", `supabase.${left.path.join(".")} was set, and yet ${left.message}.`, {
    hint: "Somebody or something else sets it too, or Supabase allows another value only: see its dashboard.",
  });
}
