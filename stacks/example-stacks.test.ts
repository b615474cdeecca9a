import { readFile } from "node:fs/promises";
import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import * as z from "zod";
import { loadBridgeConfig, loadEnvironmentConfig, loadHostsConfig } from "../src/core/config/load.ts";

const stackFile = z.object({ config: z.record(z.string(), z.unknown()) });

/** The configuration of one of the repository's stacks, as Pulumi would hand it to the program. */
async function configOf(stack: string): Promise<Record<string, string>> {
  const text = await readFile(new URL(`../Pulumi.${stack}.yaml`, import.meta.url), "utf8");
  const { config } = stackFile.parse(parse(text));
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, JSON.stringify(value)]));
}

test.each(["prod", "preprod"])("the example stack %s is valid", async (stack) => {
  expect(Object.keys(loadEnvironmentConfig(await configOf(stack)).apps)).toEqual(["shop"]);
});

test("the example stack bridge is valid, once its certificate is there", async () => {
  const config = await configOf("bridge");
  const certificate = { "ikoma:secrets": JSON.stringify({ bridge: { CERTIFICATE: "PEM" } }) };
  expect(loadBridgeConfig({ ...config, ...certificate }).apps).toMatchObject({
    bridge: { host: "vps1", domains: ["bridge.example.com"], bake: { maxErrorRate: 1 } },
  });
  expect(() => loadBridgeConfig(config)).toThrow("There is no certificate for bridge.example.com");
});

test("the example stack hosts is valid", async () => {
  expect(loadHostsConfig(await configOf("hosts")).setup["vps1"]).toMatchObject({ httpPort: 80 });
});
