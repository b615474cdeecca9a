import { expect, test } from "@jest/globals";
import { tokenWith } from "../../../../test/rigs/supabase-run.ts";
import { keyHeaders, readSupabaseKey, whyNotPublic, whyUnfit } from "./supabase-key.ts";

const ref = "abcdefghijklmnopqrst";
const anon = tokenWith({ iss: "supabase", ref, role: "anon", exp: 2_000_000_000 });
const service = tokenWith({ iss: "supabase", ref, role: "service_role", exp: 2_000_000_000 });

test.each([
  ["sb_publishable_x", "public"],
  ["sb_secret_x", "secret"],
  [anon, "public"],
  [service, "secret"],
  [tokenWith({ role: "authenticated" }), "unknown"],
  ["a.b", "unknown"],
  ["a.%%%.c", "unknown"],
  ["", "unknown"],
])("%s is %s", (key, kind) => {
  expect(readSupabaseKey(key).kind).toBe(kind);
});

test("whatever opens the database is refused where browsers get it, and so is a key that everybody knows", () => {
  expect(whyNotPublic("sb_publishable_x")).toBeUndefined();
  expect(whyNotPublic(anon)).toBeUndefined();
  expect(whyNotPublic(service)).toContain("shipped to browsers");
  expect(whyNotPublic("sb_secret_x")).toContain("shipped to browsers");
  expect(whyNotPublic(tokenWith({ iss: "supabase-demo", role: "anon" }))).toContain("samples");
  expect(whyNotPublic("hello")).toContain("sb_publishable_");
});

test("a key of another project, or one whose life is over, does not fit; what is not known is no reason", () => {
  const now = 1_900_000_000_000;
  expect(whyUnfit(anon, ref, now)).toBeUndefined();
  expect(whyUnfit(anon, undefined, now)).toBeUndefined();
  expect(whyUnfit("sb_publishable_x", ref, now)).toBeUndefined();
  expect(whyUnfit(anon, "b".repeat(20), now)).toBe(`is for the project ${ref}, not for ${"b".repeat(20)}`);
  expect(whyUnfit(anon, ref, 2_000_000_000_000)).toBe("ended on 2033-05-18");
});

test("only tokens are sent as such", () => {
  expect(keyHeaders(anon)).toEqual({ apikey: anon, authorization: `Bearer ${anon}` });
  expect(keyHeaders("sb_secret_x")).toEqual({ apikey: "sb_secret_x" });
});
