import { afterEach, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { SupabaseCloud } from "../../../../test/doubles/supabase/index.ts";
import type { Bucket } from "../../../../test/doubles/supabase/project-apis.ts";
import { supabaseRun, tokenWith, type WatchedRun } from "../../../../test/rigs/supabase-run.ts";
import { ensureSupabase, readSupabase } from "./ensure-supabase.ts";
import { supabaseConfig, type SupabaseConfig } from "./supabase-config.ts";

let double: SupabaseCloud;
let run: WatchedRun;

beforeEach(async () => {
  double = await SupabaseCloud.start();
  run = supabaseRun(secrets());
});

afterEach(async () => {
  await double[Symbol.asyncDispose]();
});

function secrets(): Record<string, string> {
  return { SUPABASE_ACCESS_TOKEN: double.accessToken, SUPABASE_DB_PASSWORD: "correct horse", STRIPE: "sk_live_1" };
}

function settings(more: Readonly<Record<string, unknown>> = {}): SupabaseConfig {
  return supabaseConfig.parse({ mode: "cloud", ref: double.ref, api: double.url, url: double.url, ...more });
}

const create = { organization: "acme", name: "new", region: "eu-central-1" };

function making(): SupabaseConfig {
  return supabaseConfig.parse({ mode: "cloud", create, api: double.url, url: double.url, auth: { signup: false } });
}

const whole = {
  auth: {
    siteUrl: "https://shop.example",
    redirectUrls: ["https://b.example/*", "https://a.example/*"],
    signup: false,
    anonymousUsers: true,
    confirmEmail: false,
    passwordMinLength: 12,
    tokenSeconds: 600,
  },
  postgrest: { schemas: ["public"], extraSearchPath: ["public"], maxRows: 50, poolSize: 9 },
  storage: { fileSizeLimit: 1_000_000, imageTransformation: true, s3: false },
  buckets: { avatars: { public: true, fileSizeLimit: 2000, allowedMimeTypes: ["image/*"] } },
  functionSecrets: { STRIPE_KEY: "STRIPE" },
};

function stored(name: string): Bucket {
  const bucket = double.buckets.get(name);
  if (bucket === undefined) throw new Error(`there is no bucket ${name}`);
  return bucket;
}

const pathsOf = async (config: SupabaseConfig): Promise<string[]> =>
  (await readSupabase(config, run)).differences.map(({ path }) => path.join("."));

test("every setting that is named is set, once, and others stay as they are", async () => {
  const before = structuredClone({ auth: double.auth, storage: double.storage });
  double.secrets.set("OTHER", "stays");
  const facts = { url: double.url, ref: double.ref };
  await expect(ensureSupabase(settings(whole), run)).resolves.toEqual(facts);
  expect(double.auth).toEqual({
    ...before.auth,
    site_url: "https://shop.example",
    uri_allow_list: "https://b.example/*,https://a.example/*",
    disable_signup: true,
    external_anonymous_users_enabled: true,
    mailer_autoconfirm: true,
    password_min_length: 12,
    jwt_exp: 600,
  });
  expect(double.postgrest).toEqual({ db_schema: "public", db_extra_search_path: "public", max_rows: 50, db_pool: 9 });
  expect(double.storage).toMatchObject({
    fileSizeLimit: 1_000_000,
    features: { imageTransformation: { enabled: true }, s3Protocol: { enabled: false } },
  });
  expect(double.storage).toMatchObject({ ...before.storage, fileSizeLimit: 1_000_000, features: {} });
  expect(double.buckets.get("avatars")).toMatchObject({
    public: true,
    file_size_limit: 2000,
    allowed_mime_types: ["image/*"],
  });
  expect([...double.secrets]).toEqual([
    ["OTHER", "stays"],
    ["STRIPE_KEY", "sk_live_1"],
  ]);
  double.takeChanges();
  await ensureSupabase(settings(whole), run);
  expect(double.takeChanges()).toEqual([]);
});

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const words = fc.uniqueArray(fc.stringMatching(/^[a-z_*./:]{1,12}$/), { maxLength: 4 });
const anySettings = fc.record({
  auth: maybe(
    fc.record({
      redirectUrls: maybe(words),
      signup: maybe(fc.boolean()),
      confirmEmail: maybe(fc.boolean()),
      tokenSeconds: maybe(fc.integer({ min: 0, max: 604_800 })),
    }),
  ),
  postgrest: maybe(fc.record({ schemas: maybe(words), poolSize: maybe(fc.integer({ min: 0, max: 1000 })) })),
  storage: maybe(fc.record({ s3: maybe(fc.boolean()), imageTransformation: maybe(fc.boolean()) })),
  buckets: maybe(
    fc.dictionary(
      fc.stringMatching(/^[a-z0-9.][a-z0-9 ._-]{0,10}[a-z0-9]$/),
      fc.record({ public: fc.boolean(), allowedMimeTypes: maybe(words) }),
      { maxKeys: 3 },
    ),
  ),
});

test("whatever the settings say: after it was set nothing differs, and setting it again changes nothing", async () => {
  await fc.assert(
    fc.asyncProperty(anySettings, async (more) => {
      await ensureSupabase(settings(more), run);
      expect(await pathsOf(settings(more))).toEqual([]);
      double.takeChanges();
      await ensureSupabase(settings(more), run);
      expect(double.takeChanges()).toEqual([]);
    }),
    { numRuns: 40 },
  );
});

test("a list is a set for the sign-in, and an order for the API's schemas", async () => {
  double.auth["uri_allow_list"] = "https://a.example/*, https://b.example/*";
  expect(await pathsOf(settings({ auth: { redirectUrls: whole.auth.redirectUrls } }))).toEqual([]);
  expect(await pathsOf(settings({ postgrest: { schemas: ["graphql_public", "public"] } }))).toEqual([
    "postgrest.schemas",
  ]);
});

test("drift is told setting by setting, without a secret, and what no setting names is not asked for", async () => {
  await ensureSupabase(settings(whole), run);
  double.auth["site_url"] = "https://evil.example";
  double.buckets.set("avatars", { ...stored("avatars"), public: false });
  double.secrets.set("STRIPE_KEY", "sk_live_other");
  const { differences } = await readSupabase(settings(whole), run);
  expect(differences).toEqual([
    {
      path: ["auth", "siteUrl"],
      message: 'it is "https://evil.example", not "https://shop.example"',
      wanted: '"https://shop.example"',
      found: '"https://evil.example"',
    },
    { path: ["buckets", "avatars", "public"], message: "it is false, not true", wanted: "true", found: "false" },
    { path: ["functionSecrets", "STRIPE_KEY"], message: "it has another value" },
  ]);
  double.takeChanges();
  await ensureSupabase(settings(whole), run);
  expect(double.asked.map(({ body }) => body).filter((body) => body !== undefined)).toEqual([
    { site_url: "https://shop.example" },
    [{ name: "STRIPE_KEY", value: "sk_live_1" }],
    { public: true, file_size_limit: 2000, allowed_mime_types: ["image/*"] },
  ]);
  double.takeChanges();
  await readSupabase(settings({ postgrest: { maxRows: 50 } }), run);
  expect(double.asked.map(({ path }) => path)).toEqual([
    `/v1/projects/${double.ref}`,
    `/v1/projects/${double.ref}/postgrest`,
  ]);
});

test("what of a bucket the settings do not name is sent as it is, and no bucket is taken away", async () => {
  const limits = { file_size_limit: 77, allowed_mime_types: ["text/plain"] };
  double.buckets.set("docs", { id: "docs", name: "docs", public: true, ...limits });
  await ensureSupabase(settings({ buckets: { docs: {}, "my files": {} } }), run);
  expect(double.buckets.get("docs")).toMatchObject({ public: false, ...limits });
  await ensureSupabase(settings({ buckets: {} }), run);
  expect([...double.buckets.keys()]).toEqual(["docs", "my files"]);
});

test("a value that is taken and not kept is an error", async () => {
  double.instead.push({ fits: ({ method }) => method === "PATCH", answer: [200, {}] });
  await expect(ensureSupabase(settings({ auth: { signup: false } }), run)).rejects.toMatchObject({
    code: "SUPABASE_REFUSED",
    message: "supabase.auth.signup was set, and yet it is true, not false.",
  });
});

test("a publishable key that is not the project's is refused before anything is set", async () => {
  const config = settings({ publishableKey: "sb_publishable_other", auth: { signup: false } });
  await expect(ensureSupabase(config, run)).rejects.toMatchObject({ code: "SUPABASE_KEY_INVALID" });
  expect(double.takeChanges()).toEqual([]);
  const { publishableKey } = double;
  await expect(ensureSupabase(settings({ publishableKey }), run)).resolves.toMatchObject({ publishableKey });
});

test("keys are asked for once, also where buckets are set with them", async () => {
  await ensureSupabase(settings({ buckets: { docs: {} } }), run);
  // Once before, and once to see whether it is so now.
  expect(double.asked.filter(({ path }) => path.includes("/api-keys"))).toHaveLength(2);
});

test("keys of a plan are asked for once, and the older kind does as well", async () => {
  const older = { anon: tokenWith({ role: "anon" }), service: tokenWith({ role: "service_role" }) };
  const keys = [
    { name: "anon", type: "legacy", api_key: older.anon },
    { name: "service_role", type: "legacy", api_key: older.service },
  ];
  const bucket = { id: "docs", public: false };
  double.instead.push({ fits: ({ path }) => path.includes("/api-keys"), answer: [200, keys] });
  double.instead.push({ fits: ({ headers }) => headers.apikey === older.service, answer: [200, [bucket]] });
  expect(await pathsOf(settings({ publishableKey: older.anon, buckets: { docs: {} } }))).toEqual([]);
  expect(double.asked.map(({ path }) => path)).toEqual([
    `/v1/projects/${double.ref}`,
    `/v1/projects/${double.ref}/api-keys?reveal=true`,
    "/storage/v1/bucket",
  ]);
});

test("a secret key is none of the project's public ones", async () => {
  const observed = await pathsOf({ ...settings(), publishableKey: double.secretKey });
  expect(observed).toEqual(["publishableKey"]);
});

test("a token that is refused is said, with where to set another one", async () => {
  const wrong = supabaseRun({ SUPABASE_ACCESS_TOKEN: "sbp_wrong" });
  await expect(ensureSupabase(settings(), wrong)).rejects.toMatchObject({
    code: "SUPABASE_AUTH",
    hint: expect.stringContaining("ikoma:secrets.shop.SUPABASE_ACCESS_TOKEN"),
  });
});

test("without a secret key buckets cannot be worked on", async () => {
  double.instead.push({ fits: ({ path }) => path.includes("/api-keys"), answer: [200, []] });
  await expect(readSupabase(settings({ buckets: {} }), run)).rejects.toMatchObject({ code: "SUPABASE_AUTH" });
});

test("a project is made once and waited for; its password is nowhere else", async () => {
  double.statusWhenMade = "COMING_UP";
  const isLook = (path: string): boolean => path.endsWith(`${"z".repeat(19)}b`);
  run = supabaseRun(secrets(), {
    pause: () => {
      for (const project of double.projects) project.status = "ACTIVE_HEALTHY";
      return Promise.resolve();
    },
  });
  expect(await pathsOf(making())).toEqual(["create"]);
  await expect(ensureSupabase(making(), run)).resolves.toMatchObject({ ref: `${"z".repeat(19)}b` });
  // What the answer to making it says of it is not asked for again.
  expect(double.asked.filter(({ path }) => isLook(path))).toHaveLength(1);
  expect(double.auth["disable_signup"]).toBe(true);
  const [made] = double.asked.filter(({ method, path }) => method === "POST" && path === "/v1/projects");
  expect(made?.body).toEqual({
    organization_slug: "acme",
    name: "new",
    db_pass: "correct horse",
    region_selection: { type: "specific", code: "eu-central-1" },
  });
  await ensureSupabase(making(), run);
  expect(double.projects).toHaveLength(2);
});

test("a lost answer makes no second project, nor does a run after one that was killed", async () => {
  double.instead.push({ fits: ({ method }) => method === "POST", answer: "lost" });
  await expect(ensureSupabase(making(), run)).resolves.toMatchObject({ ref: `${"z".repeat(19)}b` });
  await ensureSupabase(making(), supabaseRun(secrets()));
  expect(double.projects).toHaveLength(2);
});

test("a project that was given another name is still meant; one that is gone is not replaced by an empty one", async () => {
  const { ref = "" } = await ensureSupabase(making(), run);
  const known = supabaseRun(secrets(), { known: ref });
  for (const project of double.projects) project.name = "renamed";
  await ensureSupabase(making(), known);
  expect(double.projects).toHaveLength(2);
  double.projects.pop();
  await expect(ensureSupabase(making(), known)).rejects.toMatchObject({
    code: "SUPABASE_UNAVAILABLE",
    message: expect.stringContaining("its data with it"),
  });
  expect(double.projects).toHaveLength(1);
});

test("several of one name are told apart by nobody", async () => {
  double.projects.push(double.project("b".repeat(20), "new", "ACTIVE_HEALTHY"));
  double.projects.push(double.project("c".repeat(20), "new", "ACTIVE_HEALTHY"));
  await expect(ensureSupabase(making(), run)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});

test.each([
  ["INACTIVE", "It is paused"],
  ["INIT_FAILED", "dashboard"],
])("a project that is %s is drift, and said when it is to be set up", async (status, hint) => {
  for (const project of double.projects) project.status = status;
  expect(await pathsOf(settings())).toEqual(["ref"]);
  const refusal = { code: "SUPABASE_UNAVAILABLE", hint: expect.stringContaining(hint) };
  await expect(ensureSupabase(settings(), run)).rejects.toMatchObject(refusal);
  await expect(readSupabase(settings(), run)).resolves.toMatchObject({ refusal });
});

test("one that comes up for ever is not waited for that long", async () => {
  for (const project of double.projects) project.status = "COMING_UP";
  await expect(ensureSupabase(settings(), run)).rejects.toMatchObject({ code: "SUPABASE_UNAVAILABLE" });
  expect(run.pausesMs.reduce((sum, ms) => sum + ms, 0)).toBe(600_000);
  await expect(readSupabase(settings(), run)).resolves.toMatchObject({ refusal: undefined });
});

test("answers that come late are waiting too", async () => {
  for (const project of double.projects) project.status = "COMING_UP";
  run = supabaseRun(secrets(), { now: () => double.asked.length * 60_000 });
  await expect(ensureSupabase(settings(), run)).rejects.toMatchObject({ code: "SUPABASE_UNAVAILABLE" });
  expect(run.pausesMs).toHaveLength(10);
});

test("a project that is to be made is no reason to refuse, unless it was there before", async () => {
  await expect(readSupabase(making(), run)).resolves.toMatchObject({ refusal: undefined });
  const known = supabaseRun(secrets(), { known: "y".repeat(20) });
  await expect(readSupabase(making(), known)).resolves.toMatchObject({ refusal: { code: "SUPABASE_UNAVAILABLE" } });
});

test("a ref that the token does not show is said", async () => {
  const config = settings({ ref: "q".repeat(20) });
  const refusal = { code: "SUPABASE_UNAVAILABLE", message: expect.stringContaining("q".repeat(20)) };
  await expect(ensureSupabase(config, run)).rejects.toMatchObject(refusal);
  await expect(readSupabase(config, run)).resolves.toMatchObject({ refusal });
});
