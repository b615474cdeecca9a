import * as z from "zod";
import { IkomaError } from "../../errors.ts";
import type { CloudBucket } from "./cloud-settings.ts";
import type { ApiKey } from "./management-api.ts";
import { keyHeaders } from "./supabase-key.ts";
import { SupabaseHttp } from "./supabase-http.ts";
import type { SupabaseRun } from "./supabase-mode.ts";

const bucket = z.object({
  id: z.string(),
  public: z.boolean(),
  file_size_limit: z.number().nullish(),
  allowed_mime_types: z.array(z.string()).nullish(),
});
export type StoredBucket = z.infer<typeof bucket>;

/**
 * Buckets of a project, over its own storage API: the Management API only lists them. The key for it is asked of the
 * Management API in each run and is kept nowhere.
 */
export class StorageApi {
  readonly #http: SupabaseHttp;

  /** @throws SUPABASE_AUTH where none of the keys is a secret one that was shown */
  constructor(url: string, keys: readonly ApiKey[], run: SupabaseRun) {
    const loginHint = "See that the project has a secret key (sb_secret_…), and that the access token may read it.";
    const key = secretKeyOf(keys);
    if (key === undefined)
      throw new IkomaError("SUPABASE_AUTH", `The project at ${url} shows no secret key to work on its buckets with.`, {
        hint: loginHint,
      });
    this.#http = new SupabaseHttp({ name: "The storage", baseUrl: url, headers: keyHeaders(key), loginHint }, run);
  }

  buckets(): Promise<StoredBucket[]> {
    return this.#http.json({ method: "GET", path: "/storage/v1/bucket" }, z.array(bucket));
  }

  makeBucket(name: string, settings: CloudBucket): Promise<void> {
    const body = { id: name, name, ...bodyOf(settings) };
    return this.#http.send({ method: "POST", path: "/storage/v1/bucket", body });
  }

  /** What the settings do not name is sent as it is: it is not documented whether it would be taken away else. */
  setBucket(stored: StoredBucket, settings: CloudBucket): Promise<void> {
    const { file_size_limit, allowed_mime_types } = stored;
    const body = { file_size_limit, allowed_mime_types, ...bodyOf(settings) };
    return this.#http.send({ method: "PUT", path: `/storage/v1/bucket/${encodeURIComponent(stored.id)}`, body });
  }
}

function bodyOf(settings: CloudBucket): Record<string, unknown> {
  const { fileSizeLimit, allowedMimeTypes } = settings;
  return {
    public: settings.public,
    ...(fileSizeLimit !== undefined && { file_size_limit: fileSizeLimit }),
    ...(allowedMimeTypes !== undefined && { allowed_mime_types: allowedMimeTypes }),
  };
}

/** One of the newer kind before the older service_role, which may be switched off. */
function secretKeyOf(keys: readonly ApiKey[]): string | undefined {
  const newer = keys.find(({ type, api_key }) => type === "secret" && typeof api_key === "string");
  const older = keys.find(({ name, type, api_key }) => name === "service_role" && type !== "secret" && api_key != null);
  return (newer ?? older)?.api_key ?? undefined;
}
