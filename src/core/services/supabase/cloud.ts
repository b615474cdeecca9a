import { ensureProject, findProject, healthy, whyUnavailable } from "./cloud-project.ts";
import { planCloud, type CloudObserved } from "./cloud-plan.ts";
import type { CloudAuth, CloudPostgrest, CloudStorage } from "./cloud-settings.ts";
import { IkomaError } from "../../errors.ts";
import { ManagementApi, type ApiKey } from "./management-api.ts";
import { StorageApi } from "./storage-api.ts";
import { addressOfProject, type CloudSupabase } from "./supabase-config.ts";
import type { SupabaseDifference, SupabaseMode, SupabaseRun } from "./supabase-mode.ts";

/** A project on Supabase's platform. */
export const cloud: SupabaseMode<CloudSupabase, CloudObserved> = {
  observe: (settings, run) => observe(settings, run),
  plan: planCloud,

  refusal(settings, { project, known }, differences) {
    const unavailable = whyUnavailable(settings, project, known);
    if (unavailable !== undefined) return unavailable;
    const wrong = differences.find(({ path }) => path[0] === "publishableKey");
    if (wrong === undefined) return undefined;
    return new IkomaError("SUPABASE_KEY_INVALID", `supabase.publishableKey: ${wrong.message}.`);
  },

  async apply(settings, observed, differences, run) {
    const api = new ManagementApi(settings, run);
    if (observed.project?.status === healthy) {
      await applyTo(observed.project.ref, settings, { observed, differences, run });
      return;
    }
    const { ref } = await ensureProject(settings, observed.project, api, run);
    const now = await observe(settings, run);
    const left = planCloud(settings, now, run.secrets);
    const refusal = cloud.refusal(settings, now, left);
    if (refusal !== undefined) throw refusal;
    await applyTo(ref, settings, { observed: now, differences: left, run });
  },

  facts(settings, { project }) {
    const { publishableKey } = settings;
    return { url: addressOfProject(settings, project?.ref), ref: project?.ref, publishableKey };
  },
};

async function observe(settings: CloudSupabase, run: SupabaseRun): Promise<CloudObserved> {
  const api = new ManagementApi(settings, run);
  const { known } = run;
  const project = await findProject(settings, api, known);
  if (project?.status !== healthy) return { project, known };
  const { ref } = project;
  const look = <T>(isNamed: unknown, ask: () => Promise<T>): Promise<T | undefined> =>
    isNamed === undefined ? Promise.resolve(undefined) : ask();
  let asked: Promise<ApiKey[]> | undefined;
  const askKeys = (): Promise<ApiKey[]> => (asked ??= api.apiKeys(ref));
  const [auth, postgrest, storage, keys, buckets, secretDigests] = await Promise.all([
    look(settings.auth, () => api.authConfig(ref)),
    look(settings.postgrest, () => api.postgrestConfig(ref)),
    look(settings.storage, () => api.storageConfig(ref)),
    look(settings.publishableKey ?? settings.buckets, askKeys),
    look(settings.buckets, async () => openStorage(settings, ref, { keys: await askKeys(), run }).buckets()),
    look(settings.functionSecrets, () => api.secretDigests(ref)),
  ]);
  return { project, known, auth, postgrest, storage, keys, buckets, secretDigests };
}

function openStorage(
  settings: CloudSupabase,
  ref: string,
  { keys, run }: { keys: readonly ApiKey[]; run: SupabaseRun },
): StorageApi {
  return new StorageApi(addressOfProject(settings, ref) ?? "", keys, run);
}

interface Work {
  readonly observed: CloudObserved;
  readonly differences: readonly SupabaseDifference[];
  readonly run: SupabaseRun;
}

/** One request for each part that differs, with the settings that do. */
async function applyTo(ref: string, settings: CloudSupabase, work: Work): Promise<void> {
  const { differences, run } = work;
  const api = new ManagementApi(settings, run);
  const auth = only(settings.auth, differences, "auth");
  const postgrest = only(settings.postgrest, differences, "postgrest");
  const storage = only(settings.storage, differences, "storage");
  const secrets = entriesOf(settings.functionSecrets, differences, "functionSecrets");
  for (const { path, message } of differences) run.tell(`sets supabase.${path.join(".")}: ${message}`);
  if (auth !== undefined) await api.setAuthConfig(ref, authBody(auth));
  if (postgrest !== undefined) await api.setPostgrestConfig(ref, postgrestBody(postgrest));
  if (storage !== undefined) await api.setStorageConfig(ref, storageBody(storage));
  if (secrets.length > 0) {
    const values = secrets.map(([variable, name]) => [variable, run.secrets[name] ?? ""] as const);
    await api.setSecrets(ref, Object.fromEntries(values));
  }
  await applyBuckets(ref, settings, work);
}

async function applyBuckets(ref: string, settings: CloudSupabase, { observed, differences, run }: Work): Promise<void> {
  const wanted = entriesOf(settings.buckets, differences, "buckets");
  if (wanted.length === 0) return;
  const storage = openStorage(settings, ref, { keys: observed.keys ?? [], run });
  for (const [name, bucket] of wanted) {
    const stored = observed.buckets?.find(({ id }) => id === name);
    if (stored === undefined) await storage.makeBucket(name, bucket);
    else await storage.setBucket(stored, bucket);
  }
}

/** Of a part of the settings what differs; undefined where nothing of it does. */
function only<T extends Readonly<Record<string, unknown>>>(
  part: T | undefined,
  differences: readonly SupabaseDifference[],
  name: keyof CloudSupabase,
): Partial<T> | undefined {
  const entries = entriesOf(part, differences, name);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Partial<T>);
}

function entriesOf<Value>(
  part: Readonly<Record<string, Value>> | undefined,
  differences: readonly SupabaseDifference[],
  name: keyof CloudSupabase,
): [string, Value][] {
  const keys = differences.flatMap(({ path }) => (path[0] === name ? [String(path[1])] : []));
  return Object.entries(part ?? {}).filter(([key]) => keys.includes(key));
}

function authBody(auth: Partial<CloudAuth>): Record<string, unknown> {
  return named({
    site_url: auth.siteUrl,
    uri_allow_list: auth.redirectUrls?.join(","),
    disable_signup: auth.signup === undefined ? undefined : !auth.signup,
    external_anonymous_users_enabled: auth.anonymousUsers,
    mailer_autoconfirm: auth.confirmEmail === undefined ? undefined : !auth.confirmEmail,
    password_min_length: auth.passwordMinLength,
    jwt_exp: auth.tokenSeconds,
  });
}

function postgrestBody(postgrest: Partial<CloudPostgrest>): Record<string, unknown> {
  return named({
    db_schema: postgrest.schemas?.join(","),
    db_extra_search_path: postgrest.extraSearchPath?.join(","),
    max_rows: postgrest.maxRows,
    db_pool: postgrest.poolSize,
  });
}

function storageBody({ fileSizeLimit, imageTransformation, s3 }: Partial<CloudStorage>): Record<string, unknown> {
  const features = named({
    imageTransformation: imageTransformation === undefined ? undefined : { enabled: imageTransformation },
    s3Protocol: s3 === undefined ? undefined : { enabled: s3 },
  });
  return named({ fileSizeLimit, features: Object.keys(features).length === 0 ? undefined : features });
}

function named(body: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}
