import * as z from "zod";
import type { CloudSupabase } from "./supabase-config.ts";
import { SupabaseHttp, type SupabaseEndpoint } from "./supabase-http.ts";
import type { SupabaseRun } from "./supabase-mode.ts";

// Of each answer only what is compared is read: the others hold passwords of mail servers, the JWT secret and more.

const project = z.looseObject({ ref: z.string(), name: z.string(), organization_slug: z.string(), status: z.string() });
export type CloudProject = z.infer<typeof project>;

const maybe = <T extends z.ZodType>(schema: T) => schema.nullish();

const authConfig = z.object({
  site_url: maybe(z.string()),
  uri_allow_list: maybe(z.string()),
  disable_signup: maybe(z.boolean()),
  external_anonymous_users_enabled: maybe(z.boolean()),
  mailer_autoconfirm: maybe(z.boolean()),
  password_min_length: maybe(z.number()),
  jwt_exp: maybe(z.number()),
});
export type AuthConfig = z.infer<typeof authConfig>;

const postgrestConfig = z.object({
  db_schema: z.string(),
  db_extra_search_path: z.string(),
  max_rows: z.number(),
  db_pool: maybe(z.number()),
});
export type PostgrestConfig = z.infer<typeof postgrestConfig>;

const switched = z.object({ enabled: z.boolean() });
const storageConfig = z.object({
  fileSizeLimit: z.number(),
  features: z.object({ imageTransformation: switched, s3Protocol: switched }),
});
export type StorageConfig = z.infer<typeof storageConfig>;

/** Of a secret the API gives a SHA-256 digest in place of the value. */
const secretDigest = z.object({ name: z.string(), value: z.string() });
const apiKey = z.object({ name: z.string(), type: maybe(z.string()), api_key: maybe(z.string()) });
export type ApiKey = z.infer<typeof apiKey>;

/** Body of a request that makes a project. */
export interface ProjectToMake {
  organization_slug: string;
  name: string;
  db_pass: string;
  region_selection: { type: "specific"; code: string };
  desired_instance_size?: string;
}

/** The calls of Supabase's Management API that are used (https://api.supabase.com/api/v1). */
export class ManagementApi {
  readonly #http: SupabaseHttp;

  constructor({ api, accessToken }: CloudSupabase, run: SupabaseRun) {
    const endpoint: SupabaseEndpoint = {
      name: "Supabase's Management API",
      baseUrl: api,
      headers: { authorization: `Bearer ${run.secrets[accessToken] ?? ""}` },
      loginHint: `Make a personal access token whose account may do this, and set it: \`pulumi config set --secret --path 'ikoma:secrets.${run.app}.${accessToken}'\`.`,
    };
    this.#http = new SupabaseHttp(endpoint, run);
  }

  projects(): Promise<CloudProject[]> {
    return this.#http.json({ method: "GET", path: "/v1/projects" }, z.array(project));
  }

  project(ref: string): Promise<CloudProject | undefined> {
    return this.#http.jsonUnlessGone({ method: "GET", path: `/v1/projects/${ref}` }, project);
  }

  /** Never sent twice: each answer that is lost could be one more project. */
  makeProject(body: ProjectToMake): Promise<CloudProject> {
    return this.#http.json({ method: "POST", path: "/v1/projects", body, once: true }, project);
  }

  authConfig(ref: string): Promise<AuthConfig> {
    return this.#http.json({ method: "GET", path: `/v1/projects/${ref}/config/auth` }, authConfig);
  }

  setAuthConfig(ref: string, body: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#http.send({ method: "PATCH", path: `/v1/projects/${ref}/config/auth`, body });
  }

  postgrestConfig(ref: string): Promise<PostgrestConfig> {
    return this.#http.json({ method: "GET", path: `/v1/projects/${ref}/postgrest` }, postgrestConfig);
  }

  setPostgrestConfig(ref: string, body: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#http.send({ method: "PATCH", path: `/v1/projects/${ref}/postgrest`, body });
  }

  storageConfig(ref: string): Promise<StorageConfig> {
    return this.#http.json({ method: "GET", path: `/v1/projects/${ref}/config/storage` }, storageConfig);
  }

  setStorageConfig(ref: string, body: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#http.send({ method: "PATCH", path: `/v1/projects/${ref}/config/storage`, body });
  }

  /** SHA-256 of each value, in hexadecimal digits, by name. */
  async secretDigests(ref: string): Promise<ReadonlyMap<string, string>> {
    const path = `/v1/projects/${ref}/secrets`;
    const secrets = await this.#http.json({ method: "GET", path }, z.array(secretDigest));
    return new Map(secrets.map(({ name, value }) => [name, value]));
  }

  /** Makes or replaces these; others stay. */
  setSecrets(ref: string, values: Readonly<Record<string, string>>): Promise<void> {
    const body = Object.entries(values).map(([name, value]) => ({ name, value }));
    return this.#http.send({ method: "POST", path: `/v1/projects/${ref}/secrets`, body });
  }

  /** Whole keys, secret ones too: without `reveal` only their beginnings are promised. */
  apiKeys(ref: string): Promise<ApiKey[]> {
    return this.#http.json({ method: "GET", path: `/v1/projects/${ref}/api-keys?reveal=true` }, z.array(apiKey));
  }
}

/** Of the keys those that everybody may see. */
export function publicKeys(keys: readonly ApiKey[]): ApiKey[] {
  return keys.filter(({ name, type }) => type === "publishable" || (type !== "secret" && name === "anon"));
}
