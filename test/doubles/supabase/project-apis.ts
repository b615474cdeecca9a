import type { Answer, Asked, SupabaseCloud } from "./index.ts";

/** A bucket, as the storage keeps it. */
export interface Bucket {
  id: string;
  name: string;
  public: boolean;
  file_size_limit: number | null;
  allowed_mime_types: string[] | null;
}

type Double = Pick<SupabaseCloud, "publishableKey" | "secretKey" | "buckets">;

/** What a project itself answers, behind its gateway: the key first, then the root of the REST API for secret keys alone. */
export function projectAnswer(double: Double, asked: Asked): Answer {
  const { apikey, authorization } = asked.headers;
  const isSecret = apikey === double.secretKey;
  if (!isSecret && apikey !== double.publishableKey) return [401, { message: "Invalid API key" }];
  // Keys of the newer kind are no tokens.
  if (authorization !== undefined) return [401, { message: "Invalid JWT" }];
  if (asked.path === "/auth/v1/health")
    return [200, { version: "v2.180.0", name: "GoTrue", description: "GoTrue is a user registration API" }];
  if (asked.path === "/rest/v1/") return isSecret ? [200, { swagger: "2.0" }] : [403, { message: "Forbidden" }];
  if (!asked.path.startsWith("/storage/v1/bucket")) return [404, { message: "no Route matched" }];
  return isSecret ? bucketAnswer(double, asked) : [403, { message: "new row violates row-level security policy" }];
}

function bucketAnswer({ buckets }: Double, { method, path, body }: Asked): Answer {
  if (method === "GET") return [200, [...buckets.values()]];
  const given = body as Partial<Bucket>;
  const settings = {
    public: given.public ?? false,
    file_size_limit: given.file_size_limit ?? null,
    allowed_mime_types: given.allowed_mime_types ?? null,
  };
  const id = method === "POST" ? String(given.id) : decodeURIComponent(path.split("/")[4] ?? "");
  const isThere = buckets.has(id);
  if (method === "POST" && isThere) return [409, { message: "The resource already exists" }];
  if (method === "PUT" && !isThere) return [404, { message: "Bucket not found" }];
  buckets.set(id, { id, name: id, ...settings });
  return [200, { message: "Successfully updated" }];
}
