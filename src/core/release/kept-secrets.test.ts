import { expect, test } from "@jest/globals";
import { fillKeptSecrets, keptSecretMarker } from "./kept-secrets.ts";

test("every marker of a tree is filled in as it is, whatever the value has in it", () => {
  const url = `postgres://shop:${keptSecretMarker("PASSWORD")}@db`;
  const tree = { web: { environment: { URL: url, TWO: keptSecretMarker("A") + keptSecretMarker("B") }, n: 1 } };
  const values: Record<string, string> = { PASSWORD: "$& $1 {{ikoma.secret:A}}", A: "a", B: "" };
  expect(fillKeptSecrets(tree, (name) => values[name] ?? "?")).toEqual({
    web: { environment: { URL: "postgres://shop:$& $1 {{ikoma.secret:A}}@db", TWO: "a" }, n: 1 },
  });
});
