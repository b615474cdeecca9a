import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { SupabaseCloud } from "../../../../test/doubles/supabase/index.ts";
import { supabaseRun, tokenWith } from "../../../../test/rigs/supabase-run.ts";
import { ensureSupabase, readSupabase } from "./ensure-supabase.ts";
import { supabaseConfig, type SupabaseConfig } from "./supabase-config.ts";

let double: SupabaseCloud;

beforeEach(async () => {
  double = await SupabaseCloud.start();
});

afterEach(async () => {
  await double[Symbol.asyncDispose]();
});

function settings(more: Readonly<Record<string, unknown>> = {}): SupabaseConfig {
  const { url, publishableKey } = double;
  return supabaseConfig.parse({ mode: "external", url, publishableKey, ...more });
}

test("what agrees is told, and nothing is changed", async () => {
  const run = supabaseRun({ KEY: double.secretKey });
  const facts = { url: double.url, publishableKey: double.publishableKey, ref: double.ref };
  await expect(ensureSupabase(settings({ secretKey: "KEY", ref: double.ref }), run)).resolves.toEqual(facts);
  expect(double.takeChanges()).toEqual([]);
});

const anon = (claims: Readonly<Record<string, unknown>>): string => tokenWith({ role: "anon", ...claims });

test.each([
  [
    "a key that it does not know",
    { publishableKey: "sb_publishable_other" },
    "publishableKey",
    "does not know the key",
  ],
  [
    "a key of another project",
    { ref: "b".repeat(20), publishableKey: anon({ ref: "c".repeat(20) }) },
    "publishableKey",
    "is for the project c",
  ],
  ["a key that has ended", { publishableKey: anon({ exp: 1_000_000_000 }) }, "publishableKey", "ended on 2001-09-09"],
  ["a public key as the secret one", { secretKey: "PUBLIC" }, "secretKey", "is no secret key"],
  ["a secret key that it does not know", { secretKey: "OTHER" }, "secretKey", "does not take the value of OTHER"],
  ["a secret key of the samples", { secretKey: "SAMPLE" }, "secretKey", "which everybody knows"],
])("%s is drift, and refused when it is to be applied", async (_what, more, path, message) => {
  const run = supabaseRun({
    PUBLIC: double.publishableKey,
    OTHER: "sb_secret_other",
    SAMPLE: tokenWith({ iss: "supabase-demo", role: "service_role" }),
  });
  const { differences } = await readSupabase(settings(more), run);
  expect(differences).toEqual([{ path: [path], message: expect.stringContaining(message) }]);
  await expect(ensureSupabase(settings(more), run)).rejects.toMatchObject({
    code: "SUPABASE_KEY_INVALID",
    message: expect.stringContaining(`supabase.${path}: `),
  });
});

test.each(["publishable", "secret"] as const)(
  "an address where something else answers to the %s key is none of Supabase's",
  async (kind) => {
    const asked = kind === "secret" ? double.secretKey : double.publishableKey;
    double.instead.push({ fits: ({ headers }) => headers.apikey === asked, answer: [418] });
    const run = supabaseRun({ KEY: double.secretKey });
    await expect(readSupabase(settings({ secretKey: "KEY" }), run)).rejects.toMatchObject({
      code: "SUPABASE_UNREACHABLE",
      message: expect.stringContaining("/rest/v1/ answers with 418"),
    });
  },
);
