import { createHmac } from "node:crypto";
import { apiKey, apiKeyProblem } from "./api-key.ts";

const secret = "a-secret-of-this-test-that-is-long-enough";
const now = Date.UTC(2026, 10, 26);
const day = 24 * 3600 * 1000;

/** Signed as any JWT library does. */
function signed(claims: object, head: object = { alg: "HS256", typ: "JWT" }): string {
  const text = [head, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

test("a key that was made is good for its role and its secret, for five years", () => {
  const key = apiKey("anon", secret, now);
  expect(apiKeyProblem(key, "anon", secret, now)).toBeUndefined();
  expect(apiKeyProblem(key, "anon", secret, now + 4.9 * 365 * day)).toBeUndefined();
  expect(apiKeyProblem(key, "anon", secret, now + 5 * 365 * day)).toBe("ended on 2031-11-25");
});

test.each([
  ["of the other role", apiKey("service_role", secret, now), "is a key of the role service_role, not anon"],
  ["of another secret", apiKey("anon", `${secret}!`, now), "is not signed with JWT_SECRET"],
  ["that was altered", apiKey("anon", secret, now).slice(0, -2), "is not signed with JWT_SECRET"],
  ["of the sample stack", signed({ role: "anon", iss: "supabase-demo" }), "is the sample that everybody knows"],
  ["of another algorithm", signed({ role: "anon" }, { alg: "none" }), "is signed by none, not by HS256"],
  ["that is no JWT", "sb_publishable_abc", "is no JWT with a role"],
])("a key %s is told from a good one", (_, key, problem) => {
  expect(apiKeyProblem(key, "anon", secret, now)).toBe(problem);
});

test("a key without an end is a good one", () => {
  expect(apiKeyProblem(signed({ role: "anon" }), "anon", secret, now)).toBeUndefined();
});
