import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { projectAnswer, type Bucket } from "./project-apis.ts";
import { refusedFields } from "./known-fields.ts";

/** A status, a body and headers; a body of `undefined` is none. */
export type Answer = readonly [status: number, body?: unknown, headers?: Readonly<Record<string, string>>];

/** One request, as the double saw it. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly headers: IncomingMessage["headers"];
}

export interface Project {
  readonly id: string;
  readonly ref: string;
  readonly organization_id: string;
  readonly organization_slug: string;
  name: string;
  readonly region: string;
  readonly created_at: string;
  status: string;
  readonly database: Readonly<Record<string, string>>;
}

/**
 * Stands for Supabase's Management API and for the APIs of one project (sign-in's health, root of the REST API,
 * buckets), on one real port: the few calls that the Bridge makes. Made from the API's OpenAPI description of June
 * 2026 (`packages/api/src/generated/openapi.json` of supabase/cli) and, for buckets, from the storage's documentation.
 * It asks for the tokens and refuses unknown fields.
 * Its answers and the bodies that the Bridge sends were held against that description once, by hand: all agree, but of
 * the 237 fields of the sign-in's settings it has those that are set here. Not checked against the real ones: the exact texts of refusals,
 * the rate limit's own counting (60 a minute), delays until a new project is listed, and everything else that they can.
 */
export class SupabaseCloud implements AsyncDisposable {
  readonly ref = "abcdefghijklmnopqrst";
  readonly accessToken = "sbp_0123456789abcdef0123456789abcdef01234567";
  readonly publishableKey = "sb_publishable_double";
  readonly secretKey = "sb_secret_of-the-double";
  /** What its answers hold besides, and nobody may keep. */
  readonly smtpPassword = "the-password-of-the-mail-server";
  readonly projects: Project[] = [];
  readonly auth: Record<string, unknown>;
  readonly postgrest: Record<string, unknown>;
  readonly storage: Record<string, unknown>;
  readonly buckets = new Map<string, Bucket>();
  readonly secrets = new Map<string, string>();
  /** Requests so far. */
  readonly asked: Asked[] = [];
  /** Answers that are given first, one for each request that one fits. `lost` is done, and its answer never comes. */
  readonly instead: { fits: (asked: Asked) => boolean; answer: Answer | "lost" }[] = [];
  /** What a project that is made is at first. */
  statusWhenMade = "ACTIVE_HEALTHY";
  readonly #server: Server;

  constructor() {
    this.projects.push(this.project(this.ref, "shop", "ACTIVE_HEALTHY"));
    this.auth = {
      site_url: "http://localhost:3000",
      uri_allow_list: "",
      disable_signup: false,
      external_anonymous_users_enabled: false,
      mailer_autoconfirm: false,
      password_min_length: 6,
      jwt_exp: 3600,
      smtp_pass: this.smtpPassword,
    };
    this.postgrest = {
      db_schema: "public,graphql_public",
      db_extra_search_path: "public, extensions",
      max_rows: 1000,
      db_pool: null,
    };
    this.storage = {
      fileSizeLimit: 52_428_800,
      features: {
        imageTransformation: { enabled: false },
        s3Protocol: { enabled: true },
        icebergCatalog: { enabled: false, maxNamespaces: 0, maxTables: 0, maxCatalogs: 0 },
        vectorBuckets: { enabled: false, maxBuckets: 0, maxIndexes: 0 },
      },
      capabilities: { list_v2: true, iceberg_catalog: false },
      external: { upstreamTarget: "main" },
      migrationVersion: "fix-optimized-search-function",
      databasePoolMode: "recycled",
    };
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<SupabaseCloud> {
    const double = new SupabaseCloud();
    double.#server.listen(0, "127.0.0.1");
    await once(double.#server, "listening");
    return double;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests that change something, as `PATCH /v1/…`, and forgets all so far. */
  takeChanges(): string[] {
    return this.asked.splice(0).flatMap(({ method, path }) => (method === "GET" ? [] : [`${method} ${path}`]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  project(ref: string, name: string, status: string): Project {
    const database = { host: `db.${ref}.supabase.co`, version: "17.6", postgres_engine: "17", release_channel: "ga" };
    const of = { organization_id: "acme", organization_slug: "acme", region: "eu-central-1" };
    return { id: ref, ref, name, ...of, created_at: "2026-11-01T00:00:00Z", status, database };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString("utf8");
    const { method = "", url: path = "", headers } = request;
    const asked: Asked = { method, path, headers, body: text === "" ? undefined : JSON.parse(text) };
    this.asked.push(asked);
    const index = this.instead.findIndex(({ fits }) => fits(asked));
    const [first] = index < 0 ? [] : this.instead.splice(index, 1);
    const answer = first === undefined || first.answer === "lost" ? this.#answer(asked) : first.answer;
    if (first?.answer === "lost") {
      request.socket.destroy();
      return;
    }
    const [status, body, more = {}] = answer;
    response.writeHead(status, { "content-type": "application/json", ...more });
    response.end(body === undefined ? "" : JSON.stringify(body));
  }

  #answer(asked: Asked): Answer {
    if (!asked.path.startsWith("/v1/")) return projectAnswer(this, asked);
    if (asked.headers.authorization !== `Bearer ${this.accessToken}`) return [401, { message: "Unauthorized" }];
    const unknown = refusedFields(asked);
    if (unknown !== undefined) return [400, { message: `property ${unknown} should not exist` }];
    const [, , , ref, ...rest] = new URL(asked.path, this.url).pathname.split("/");
    if (ref === undefined) return this.#projects(asked);
    const project = this.projects.find((each) => each.ref === ref);
    if (project === undefined) return [404, { message: "Project not found" }];
    return rest.length === 0 ? [200, project] : this.#ofProject(asked, rest.join("/"));
  }

  #projects({ method, body }: Asked): Answer {
    if (method === "GET") return [200, this.projects];
    const { name } = body as { name: string };
    const ref = "z".repeat(19) + String.fromCharCode(97 + this.projects.length);
    const made = this.project(ref, name, this.statusWhenMade);
    this.projects.push(made);
    return [201, made];
  }

  #ofProject({ method, path, body }: Asked, part: string): Answer {
    const parts: Readonly<Record<string, Record<string, unknown>>> = {
      "config/auth": this.auth,
      postgrest: this.postgrest,
      "config/storage": this.storage,
    };
    const settings = parts[part];
    if (settings !== undefined) return [200, method === "PATCH" ? merge(settings, body) : settings];
    if (part === "secrets") return this.#secrets(method, body);
    if (part !== "api-keys") return [404, { message: `Cannot ${method} ${path}` }];
    const shown = (key: string): string => (path.endsWith("?reveal=true") ? key : `${key.slice(0, 15)}······`);
    return [
      200,
      [
        { name: "default", type: "publishable", api_key: shown(this.publishableKey) },
        { name: "default", type: "secret", api_key: shown(this.secretKey) },
      ],
    ];
  }

  #secrets(method: string, body: unknown): Answer {
    if (method === "GET") return [200, [...this.secrets].map(([name, value]) => ({ name, value: sha256(value) }))];
    for (const { name, value } of body as { name: string; value: string }[]) {
      if (name.startsWith("SUPABASE_")) return [400, { message: `${name} must not start with SUPABASE_` }];
      this.secrets.set(name, value);
    }
    return [201];
  }
}

/** Objects inside are merged too, as the API does with features. */
function merge(into: Record<string, unknown>, body: unknown): Record<string, unknown> {
  for (const [key, value] of Object.entries(body as Record<string, unknown>)) {
    const old = into[key];
    const isPart = typeof value === "object" && value !== null && typeof old === "object" && old !== null;
    into[key] = isPart ? merge({ ...old }, value) : value;
  }
  return into;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
