import { makeSecrets, stackSecretNames } from "./stack-secrets.ts";
import { refuseUnsafeSettings } from "./unsafe-settings.ts";
import { apiKeyProblem } from "./api-key.ts";

const now = Date.UTC(2026, 10, 26);
const nothing = { known: [], jwtSecret: undefined };

test("all that the stack asks for is made, fits together and may be deployed", () => {
  const made = makeSecrets({ variables: [...stackSecretNames, "SITE_URL"], ...nothing }, now);
  expect([...made.keys()].sort()).toEqual([...stackSecretNames].sort());
  refuseUnsafeSettings({ app: "backend", values: Object.fromEntries(made), domains: [] }, now);
  expect(made.get("VAULT_ENC_KEY")).toHaveLength(32);
  expect(made.get("POSTGRES_PASSWORD")).toMatch(/^[a-z0-9]{32}$/);
});

test("no two stacks get the same", () => {
  const [one, other] = [1, 2].map(() => makeSecrets({ variables: stackSecretNames, ...nothing }, now));
  const same = [...(one ?? [])].filter(([name, value]) => other?.get(name) === value);
  expect(same).toEqual([]);
});

test("what is there stays, and a key that lacks is signed with the secret that is there", () => {
  const known = ["JWT_SECRET", "POSTGRES_PASSWORD"];
  const jwtSecret = "the-secret-that-signs-since-the-first-day";
  const made = makeSecrets({ variables: [...known, "ANON_KEY"], known, jwtSecret }, now);
  expect([...made.keys()]).toEqual(["ANON_KEY"]);
  expect(apiKeyProblem(made.get("ANON_KEY") ?? "", "anon", jwtSecret, now)).toBeUndefined();
});

test("what the stack does not ask for is not made", () => {
  expect(makeSecrets({ variables: ["SITE_URL"], ...nothing }, now).size).toBe(0);
});
