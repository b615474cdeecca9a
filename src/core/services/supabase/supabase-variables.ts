import { addressOfProject, type SupabaseConfig } from "./supabase-config.ts";

/** What an app says of its variables, besides its Supabase. */
export interface AskedVariables {
  /** Names of the variables that its compose file asks for. */
  readonly asked: readonly string[];
  /** Names that have a value already. */
  readonly given: readonly string[];
}

/**
 * Values for variables that a compose file asks for and nobody has given: `SUPABASE_URL`, `SUPABASE_PUBLISHABLE_KEY`
 * and, as it was called before, `SUPABASE_ANON_KEY`. Only as far as the settings alone tell them, and only public ones.
 */
export function variablesOfSupabase(
  settings: SupabaseConfig | undefined,
  { asked, given }: AskedVariables,
): Record<string, string> {
  if (settings === undefined) return {};
  const url = settings.mode === "cloud" ? addressOfProject(settings, settings.ref) : settings.url;
  const { publishableKey: key } = settings;
  const known = Object.entries({ SUPABASE_URL: url, SUPABASE_PUBLISHABLE_KEY: key, SUPABASE_ANON_KEY: key });
  return Object.fromEntries(
    known.flatMap(([name, value]) =>
      value !== undefined && asked.includes(name) && !given.includes(name) ? [[name, value]] : [],
    ),
  );
}
