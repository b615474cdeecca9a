import { readFile } from "node:fs/promises";
import { expect, test } from "@jest/globals";
import { providerVersion } from "./version.ts";

test("the provider reports the package's version, and agents are made of the same", async () => {
  const root = new URL("../../", import.meta.url);
  const description: unknown = JSON.parse(await readFile(new URL("package.json", root), "utf8"));
  expect(description).toMatchObject({ version: providerVersion });
  expect(await readFile(new URL("versions.env", root), "utf8")).toContain(`AGENT_VERSION=${providerVersion}\n`);
});
