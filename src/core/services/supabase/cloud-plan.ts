import { createHash } from "node:crypto";
import type { CloudBucket } from "./cloud-settings.ts";
import { healthy } from "./cloud-project.ts";
import { publicKeys } from "./management-api.ts";
import type { ApiKey, AuthConfig, CloudProject, PostgrestConfig, StorageConfig } from "./management-api.ts";
import type { StoredBucket } from "./storage-api.ts";
import type { CloudSupabase } from "./supabase-config.ts";
import type { SupabaseDifference, SupabaseRun } from "./supabase-mode.ts";

/** What is there of what the settings name; a part that they do not name was not looked at. */
export interface CloudObserved {
  readonly project?: CloudProject | undefined;
  /** Ref of the project that was meant before. */
  readonly known?: string | undefined;
  readonly auth?: AuthConfig | undefined;
  readonly postgrest?: PostgrestConfig | undefined;
  readonly storage?: StorageConfig | undefined;
  readonly buckets?: readonly StoredBucket[] | undefined;
  /** Secret ones too: buckets are worked on with one. */
  readonly keys?: readonly ApiKey[] | undefined;
  readonly secretDigests?: ReadonlyMap<string, string> | undefined;
}

type Path = SupabaseDifference["path"];
type Value = string | number | boolean | readonly string[];

/** One value that is wanted and the one that is there; lists that are sets are given sorted. */
function compared(path: Path, wanted: Value | undefined, found: Value | null | undefined): SupabaseDifference[] {
  if (wanted === undefined || shown(wanted) === shown(found)) return [];
  const now = { wanted: shown(wanted), found: shown(found) };
  return [{ path, message: `it is ${now.found}, not ${now.wanted}`, ...now }];
}

function shown(value: Value | null | undefined): string {
  return value === null || value === undefined ? "not set" : JSON.stringify(value);
}

/** What of a project is not as its settings say. Where there is no project, that alone. */
export function planCloud(
  settings: CloudSupabase,
  observed: CloudObserved,
  secrets: SupabaseRun["secrets"],
): SupabaseDifference[] {
  const { project } = observed;
  const path: Path = [settings.create === undefined ? "ref" : "create"];
  if (project === undefined) return [{ path, message: "there is no such project" }];
  if (project.status !== healthy) return [{ path, message: `the project ${project.ref} is ${project.status}` }];
  return [
    ...keyDifferences(settings, observed.keys),
    ...authDifferences(settings, observed.auth),
    ...postgrestDifferences(settings, observed.postgrest),
    ...storageDifferences(settings, observed.storage),
    ...Object.entries(settings.buckets ?? {}).flatMap(([name, bucket]) =>
      bucketDifferences(name, bucket, observed.buckets),
    ),
    ...secretDifferences(settings, observed.secretDigests, secrets),
  ];
}

function keyDifferences({ publishableKey }: CloudSupabase, keys: readonly ApiKey[] = []): SupabaseDifference[] {
  const isThere = publicKeys(keys).some(({ api_key }) => api_key === publishableKey);
  if (publishableKey === undefined || isThere) return [];
  return [{ path: ["publishableKey"], message: "the project has no such key" }];
}

function authDifferences({ auth = {} }: CloudSupabase, found: AuthConfig = {}): SupabaseDifference[] {
  const at = (name: keyof typeof auth): Path => ["auth", name];
  return [
    ...compared(at("siteUrl"), auth.siteUrl, found.site_url),
    ...compared(at("redirectUrls"), auth.redirectUrls?.toSorted(), listOf(found.uri_allow_list)?.toSorted()),
    ...compared(at("signup"), auth.signup, opposite(found.disable_signup)),
    ...compared(at("anonymousUsers"), auth.anonymousUsers, found.external_anonymous_users_enabled),
    ...compared(at("confirmEmail"), auth.confirmEmail, opposite(found.mailer_autoconfirm)),
    ...compared(at("passwordMinLength"), auth.passwordMinLength, found.password_min_length),
    ...compared(at("tokenSeconds"), auth.tokenSeconds, found.jwt_exp),
  ];
}

function postgrestDifferences({ postgrest = {} }: CloudSupabase, found?: PostgrestConfig): SupabaseDifference[] {
  const at = (name: keyof typeof postgrest): Path => ["postgrest", name];
  return [
    ...compared(at("schemas"), postgrest.schemas, listOf(found?.db_schema)),
    ...compared(at("extraSearchPath"), postgrest.extraSearchPath, listOf(found?.db_extra_search_path)),
    ...compared(at("maxRows"), postgrest.maxRows, found?.max_rows),
    ...compared(at("poolSize"), postgrest.poolSize, found?.db_pool),
  ];
}

function storageDifferences({ storage = {} }: CloudSupabase, found?: StorageConfig): SupabaseDifference[] {
  const at = (name: keyof typeof storage): Path => ["storage", name];
  return [
    ...compared(at("fileSizeLimit"), storage.fileSizeLimit, found?.fileSizeLimit),
    ...compared(at("imageTransformation"), storage.imageTransformation, found?.features.imageTransformation.enabled),
    ...compared(at("s3"), storage.s3, found?.features.s3Protocol.enabled),
  ];
}

function bucketDifferences(
  name: string,
  bucket: CloudBucket,
  stored: readonly StoredBucket[] = [],
): SupabaseDifference[] {
  const found = stored.find(({ id }) => id === name);
  if (found === undefined) return [{ path: ["buckets", name], message: "there is no such bucket" }];
  const at = (key: keyof CloudBucket): Path => ["buckets", name, key];
  return [
    ...compared(at("public"), bucket.public, found.public),
    ...compared(at("fileSizeLimit"), bucket.fileSizeLimit, found.file_size_limit),
    ...compared(at("allowedMimeTypes"), bucket.allowedMimeTypes?.toSorted(), found.allowed_mime_types?.toSorted()),
  ];
}

/** Values are compared by the digest, which is all that the API tells of them. */
function secretDifferences(
  { functionSecrets = {} }: CloudSupabase,
  digests: CloudObserved["secretDigests"],
  secrets: SupabaseRun["secrets"],
): SupabaseDifference[] {
  return Object.entries(functionSecrets).flatMap(([variable, name]) => {
    const found = digests?.get(variable);
    const path: Path = ["functionSecrets", variable];
    if (found === undefined) return [{ path, message: "it is not set" }];
    const wanted = createHash("sha256")
      .update(secrets[name] ?? "")
      .digest("hex");
    return found.toLowerCase() === wanted ? [] : [{ path, message: "it has another value" }];
  });
}

function listOf(text: string | null | undefined): string[] | undefined {
  const items = text?.split(",").map((each) => each.trim());
  return items?.filter((each) => each !== "");
}

function opposite(value: boolean | null | undefined): boolean | undefined {
  return typeof value === "boolean" ? !value : undefined;
}
