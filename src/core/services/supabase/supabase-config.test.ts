import { expect, test } from "@jest/globals";
import { tokenWith } from "../../../../test/rigs/supabase-run.ts";
import { explainIssues } from "../../config/explain-issues.ts";
import { secretsOfSupabase, supabaseConfig } from "./supabase-config.ts";

const external = {
  mode: "external",
  url: "https://abcdefghijklmnopqrst.supabase.co",
  publishableKey: "sb_publishable_x",
};
const cloud = { mode: "cloud", ref: "abcdefghijklmnopqrst" };
const create = { organization: "acme", name: "shop", region: "eu-central-1" };

function problems(settings: unknown): string[] {
  const read = supabaseConfig.safeParse(settings);
  if (read.success) return [];
  return explainIssues(supabaseConfig, read.error).map(({ path, message }) => `${path.join(".")}: ${message}`);
}

test.each([
  ["an address in clear", { ...external, url: "http://supabase.example" }, "url: plain HTTP only on this machine"],
  [
    "a password in it",
    { ...external, url: "https://a:b@supabase.example" },
    "url: an address without user, query or fragment",
  ],
  ["an API in clear", { ...cloud, api: "http://api.supabase.com" }, "api: plain HTTP only on this machine"],
  ["no project", { mode: "cloud" }, ": needs one of `ref` and `create`"],
  ["two projects", { ...cloud, create }, ": needs one of `ref` and `create`"],
  ["a word of no project", { ...cloud, ref: "shop" }, "ref: the project's ref: 20 lower-case letters"],
  [
    "a secret that functions have anyhow",
    { ...cloud, functionSecrets: { SUPABASE_URL: "X" } },
    "functionSecrets.SUPABASE_URL: a variable's name, not SUPABASE_…",
  ],
  [
    "an unknown setting inside",
    { ...cloud, auth: { siteURL: "https://shop.example" } },
    'auth.siteURL: unknown setting; did you mean "siteUrl"?',
  ],
  [
    "a bucket that is a way up",
    { ...cloud, buckets: { "..": {} } },
    "buckets...: a bucket's name: no spaces at its ends, and not dots alone",
  ],
  [
    "a comma in an address",
    { ...cloud, auth: { redirectUrls: ["https://a,https://b"] } },
    "auth.redirectUrls.0: a text without commas",
  ],
])("%s is refused by name", (_what, settings, problem) => {
  expect(problems(settings)).toEqual([problem]);
});

test.each(["sb_secret_x", tokenWith({ role: "service_role" })])(
  "a secret key as the public one is refused: %s",
  (key) => {
    expect(problems({ ...external, publishableKey: key })).toEqual([expect.stringContaining("shipped to browsers")]);
    expect(problems({ ...cloud, publishableKey: key })).toEqual([expect.stringContaining("shipped to browsers")]);
  },
);

test("an unknown mode is told with those that there are", () => {
  expect(problems({ mode: "magic" })).toEqual([expect.stringMatching(/^mode: .*'external' \| 'cloud'/)]);
});

test("the secrets that are needed are those that the settings name, each once", () => {
  const needed = (settings: unknown): string[] => secretsOfSupabase(supabaseConfig.parse(settings));
  expect(needed(external)).toEqual([]);
  expect(needed({ ...external, secretKey: "KEY" })).toEqual(["KEY"]);
  expect(needed(cloud)).toEqual(["SUPABASE_ACCESS_TOKEN"]);
  expect(needed({ mode: "cloud", create, functionSecrets: { A: "ONE", B: "ONE" } })).toEqual([
    "SUPABASE_ACCESS_TOKEN",
    "SUPABASE_DB_PASSWORD",
    "ONE",
  ]);
});
