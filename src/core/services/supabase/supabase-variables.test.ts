import { expect, test } from "@jest/globals";
import { supabaseConfig } from "./supabase-config.ts";
import { variablesOfSupabase } from "./supabase-variables.ts";

const url = "https://abcdefghijklmnopqrst.supabase.co";
const external = supabaseConfig.parse({ mode: "external", url, publishableKey: "sb_publishable_x" });

test("an app gets what its compose file asks for and nobody has given", () => {
  const asked = ["SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "OTHER"];
  expect(variablesOfSupabase(external, { asked, given: [] })).toEqual({
    SUPABASE_URL: url,
    SUPABASE_PUBLISHABLE_KEY: "sb_publishable_x",
  });
  expect(variablesOfSupabase(external, { asked, given: ["SUPABASE_URL"] })).toEqual({
    SUPABASE_PUBLISHABLE_KEY: "sb_publishable_x",
  });
  expect(variablesOfSupabase(external, { asked: ["SUPABASE_ANON_KEY"], given: [] })).toEqual({
    SUPABASE_ANON_KEY: "sb_publishable_x",
  });
  expect(variablesOfSupabase(undefined, { asked, given: [] })).toEqual({});
});

test("of a project on the platform it gets what the settings tell: the address by the ref, the key where it is given", () => {
  const asked = ["SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY"];
  const known = supabaseConfig.parse({ mode: "cloud", ref: "abcdefghijklmnopqrst" });
  expect(variablesOfSupabase(known, { asked, given: [] })).toEqual({ SUPABASE_URL: url });
  const create = { organization: "acme", name: "shop", region: "eu-central-1" };
  expect(variablesOfSupabase(supabaseConfig.parse({ mode: "cloud", create }), { asked, given: [] })).toEqual({});
});
