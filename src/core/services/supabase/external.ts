import * as z from "zod";
import { IkomaError } from "../../errors.ts";
import { refOfExternal, type ExternalSupabase } from "./supabase-config.ts";
import { keyHeaders, readSupabaseKey, whyUnfit } from "./supabase-key.ts";
import { SupabaseHttp } from "./supabase-http.ts";
import type { SupabaseDifference, SupabaseMode, SupabaseRun } from "./supabase-mode.ts";

/** What of a Supabase that is only looked at is not as it should be. */
export type ExternalObserved = readonly SupabaseDifference[];

/** Looks at it, and changes nothing: what does not agree has to be mended where it is set up. */
export const external: SupabaseMode<ExternalSupabase, ExternalObserved> = {
  async observe(settings, run) {
    return [...(await publicProblems(settings, run)), ...(await secretProblems(settings, run))];
  },

  plan: (_settings, observed) => [...observed],

  refusal(_settings, _observed, [first]) {
    if (first === undefined) return undefined;
    return new IkomaError("SUPABASE_KEY_INVALID", `supabase.${first.path.join(".")}: ${first.message}.`);
  },

  apply: () => Promise.resolve(),

  facts: (settings) => ({
    url: settings.url,
    ref: refOfExternal(settings),
    publishableKey: settings.publishableKey,
  }),
};

const health = z.looseObject({ name: z.string() });

async function publicProblems(settings: ExternalSupabase, run: SupabaseRun): Promise<SupabaseDifference[]> {
  const { publishableKey, url } = settings;
  const unfit = whyUnfit(publishableKey, refOfExternal(settings), Date.now());
  if (unfit !== undefined) return [{ path: ["publishableKey"], message: `the key ${unfit}` }];
  const http = httpWith(settings, publishableKey, run);
  const status = await gatewayStatus(http, url);
  if (status === 401) return [{ path: ["publishableKey"], message: `${url} does not know the key` }];
  await http.json({ method: "GET", path: "/auth/v1/health" }, health);
  return [];
}

async function secretProblems(settings: ExternalSupabase, run: SupabaseRun): Promise<SupabaseDifference[]> {
  const { secretKey: name, url } = settings;
  if (name === undefined) return [];
  const key = run.secrets[name] ?? "";
  const { kind, isSample } = readSupabaseKey(key);
  const unfit = whyUnfit(key, refOfExternal(settings), Date.now());
  const differs = (message: string): SupabaseDifference[] => [{ path: ["secretKey"], message }];
  if (kind !== "secret") return differs(`the value of ${name} is no secret key (sb_secret_… or service_role)`);
  if (isSample) return differs(`the value of ${name} is the key of Supabase's samples, which everybody knows`);
  if (unfit !== undefined) return differs(`the value of ${name} ${unfit}`);
  const status = await gatewayStatus(httpWith(settings, key, run), url);
  return status === 200 ? [] : differs(`${url} does not take the value of ${name}`);
}

/**
 * What the gateway makes of a key: it looks at the key first (401), and shows the root of the REST API to secret ones
 * alone (else 403).
 */
async function gatewayStatus(http: SupabaseHttp, url: string): Promise<200 | 401 | 403> {
  const status = await http.status({ method: "GET", path: "/rest/v1/" });
  if (status === 200 || status === 401 || status === 403) return status;
  throw new IkomaError("SUPABASE_UNREACHABLE", `${url}/rest/v1/ answers with ${status}, not as Supabase does.`);
}

function httpWith({ url }: ExternalSupabase, key: string, run: SupabaseRun): SupabaseHttp {
  const loginHint = "Give the key that the project's dashboard shows under API keys.";
  return new SupabaseHttp({ name: "The Supabase", baseUrl: url, headers: keyHeaders(key), loginHint }, run);
}
