import { expect, test } from "@jest/globals";
import { IkomaError } from "../errors.ts";
import { loadBridgeConfig, loadEnvironmentConfig, type RawConfig } from "./load.ts";
import { addressOfBridge, settingsPath, variablesOfBridge } from "./bridge.ts";

const fingerprint = `oKwXn2Jc4T:${"5f".repeat(32)}`;
const hosts = JSON.stringify({ vps1: { address: "203.0.113.10", hostKey: "ssh-ed25519 AAAA" } });
const secrets = JSON.stringify({ bridge: { CERTIFICATE: "PEM" } });

function raw(bridge: Record<string, unknown> = {}, more: RawConfig = {}): RawConfig {
  const whole = { host: "vps1", domain: "bridge.example.com", admins: [fingerprint], ...bridge };
  return { "ikoma:hosts": hosts, "ikoma:secrets": secrets, "ikoma:bridge": JSON.stringify(whole), ...more };
}

function refusal(config: RawConfig): string {
  try {
    loadBridgeConfig(config);
  } catch (error) {
    if (error instanceof IkomaError) return `${error.code}: ${error.message} ${error.hint}`;
    throw error;
  }
  throw new Error("it was taken");
}

test("the Bridge is an app like any other, under its one domain", () => {
  const config = loadBridgeConfig(raw({ env: { LEVEL: "debug" }, keep: 3 }));
  expect(config.apps).toEqual({
    bridge: expect.objectContaining({
      host: "vps1",
      domains: ["bridge.example.com"],
      env: { LEVEL: "debug" },
      keep: 3,
    }),
  });
  for (const own of ["domain", "certificate", "admins"]) expect(config.apps["bridge"]).not.toHaveProperty(own);
  // Errors are what its API says of hosts that are away.
  expect(config.apps["bridge"]?.bake).toMatchObject({ maxErrorRate: 1 });
  expect(addressOfBridge(config.bridge)).toBe("https://bridge.example.com");
  expect(variablesOfBridge(config.bridge)).toEqual({ API_ADMINS: fingerprint });
});

test("its settings stand in a place of their own in its stack's file", () => {
  expect(settingsPath("bridge", "bridge")).toEqual(["ikoma:bridge"]);
  expect(settingsPath("prod", "bridge")).toEqual(["ikoma:apps", "bridge"]);
});

test.each([
  ["nothing to deploy", { "ikoma:hosts": hosts }, /^CONFIG_MISSING: .*`ikoma:bridge` is missing/],
  ["other apps beside it", raw({}, { "ikoma:apps": "{}" }), /^CONFIG_INVALID: ikoma:apps: the stack `bridge` holds/],
  ["no certificate", raw({}, { "ikoma:secrets": "{}" }), /^CONFIG_MISSING: There is no certificate for bridge/],
  ["no administrator", raw({ admins: [] }), /^CONFIG_INVALID: ikoma:bridge\.admins/],
  [
    "a token in place of its fingerprint",
    raw({ admins: ["ikb_admin_x"] }),
    /a fingerprint, as `ikoma api token admin`/,
  ],
  ["a host that is not there", raw({ host: "vps2" }), /^CONFIG_INVALID: ikoma:bridge\.host: there is no host "vps2"/],
  ["its own variable by hand", raw({ env: { API_ADMINS: "x" } }), /ikoma:bridge\.env\.API_ADMINS: it is made of/],
  ["domains", raw({ domains: ["a.example"] }), /^CONFIG_INVALID: ikoma:bridge\.domains/],
] as [string, RawConfig, RegExp][])("%s is refused", (_what, config, why) => {
  expect(refusal(config)).toMatch(why);
});

test("no other stack deploys it", () => {
  expect(() => loadEnvironmentConfig(raw())).toThrow(/only the stack `bridge`/);
});
