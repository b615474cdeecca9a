import { expect, test } from "@jest/globals";
import { settingsPath } from "./bridge-names.ts";
import { addressOfBridge, appOfBridge, variablesOfBridge } from "./bridge.ts";
import { bridgeConfig } from "./schema.ts";

const fingerprint = `oKwXn2Jc4T:${"5f".repeat(32)}`;
const bridge = bridgeConfig.parse({
  host: "vps1",
  domain: "bridge.example.com",
  admins: [fingerprint],
  env: { LEVEL: "debug" },
});

test("the Bridge is an app like any other, under its one domain, without what no other app has", () => {
  const app = appOfBridge(bridge);
  expect(app).toMatchObject({ host: "vps1", domains: ["bridge.example.com"], env: { LEVEL: "debug" } });
  for (const own of ["domain", "certificate", "admins"]) expect(app).not.toHaveProperty(own);
  expect(addressOfBridge(bridge)).toBe("https://bridge.example.com");
  expect(variablesOfBridge(bridge)).toEqual({ API_ADMINS: fingerprint });
});

test("what is said of its bake leaves errors uncounted, unless that is said too", () => {
  const watched = (bake: object) => bridgeConfig.shape.bake.parse(bake);
  expect(watched({ seconds: 30 })).toMatchObject({ seconds: 30, maxErrorRate: 1 });
  expect(watched({ maxErrorRate: 0.5 })).toMatchObject({ maxErrorRate: 0.5 });
  expect(bridge.bake).toEqual({ seconds: 10, maxErrorRate: 1, minRequests: 20 });
});

test("its settings stand in a place of their own in its stack's file", () => {
  expect(settingsPath("bridge", "bridge")).toEqual(["ikoma:bridge"]);
  expect(settingsPath("prod", "bridge")).toEqual(["ikoma:apps", "bridge"]);
});
