import { expect, test } from "@jest/globals";
import { explainConfig } from "./explain-config.ts";

const text = `encryptionsalt: v1:abc
config:
  github:owner: me
  # how to get there
  ikoma:hosts:
    vps1: { address: 203.0.113.1, hostKey: ssh-ed25519 AAAA }
  ikoma:apps:
    shop:
      host: vps1
      health: { path: /health }
      env:
        LOG_LEVEL: info
  ikoma:secrets:
    shop:
      PASSWORD: { secure: v1:xyz }
`;

function explained(path: string, of = text) {
  return explainConfig(of, "Pulumi.prod.yaml").find((each) => each.path === path);
}

const file = (line: number) => ({ kind: "file", file: "Pulumi.prod.yaml", line });

test.each([
  ["ikoma:hosts.vps1.address", "203.0.113.1", file(6)],
  ["ikoma:hosts.vps1.port", 22, { kind: "default" }],
  ["ikoma:apps.shop.host", "vps1", file(9)],
  ["ikoma:apps.shop.health.path", "/health", file(10)],
  ["ikoma:apps.shop.health.timeoutSeconds", 30, { kind: "default" }],
  ["ikoma:apps.shop.env.LOG_LEVEL", "info", file(12)],
  ["ikoma:apps.shop.keep", 5, { kind: "default" }],
  ["ikoma:apps.shop.drainSeconds", 30, { kind: "bundle-or-default" }],
  ["ikoma:apps.shop.smoke", [], { kind: "bundle-or-default" }],
  ["ikoma:apps.shop.bake.seconds", 10, { kind: "default" }],
  ["ikoma:offline", false, { kind: "default" }],
])("%s is %j, from %j", (path, value, origin) => {
  expect(explained(path)).toEqual({ path, value, origin });
});

test("of the Bridge as of an app, under its own name", () => {
  const bridge = `config:
  ikoma:bridge:
    host: vps1
    domain: bridge.example
    admins: [aaaaaaaaaa:${"0".repeat(64)}]
`;
  expect(explained("ikoma:bridge.domain", bridge)).toMatchObject({ value: "bridge.example", origin: file(4) });
  expect(explained("ikoma:bridge.bake.maxErrorRate", bridge)).toMatchObject({ value: 1, origin: { kind: "default" } });
  expect(explained("ikoma:bridge.drainSeconds", bridge)).toMatchObject({ origin: { kind: "bundle-or-default" } });
});

test("of secrets only that they are there, encrypted or not", () => {
  const open = text.replace("{ secure: v1:xyz }", "hunter22");
  for (const each of [text, open]) {
    expect(explained("ikoma:secrets.shop.PASSWORD", each)).toMatchObject({ value: "[secret]", origin: file(15) });
    expect(JSON.stringify(explainConfig(each, "x"))).not.toMatch(/v1:xyz|hunter22/);
  }
});

test("where a secret is from is shown, unless a command says it", () => {
  const from = (source: string) => text.replace("{ secure: v1:xyz }", source);
  const path = "ikoma:secrets.shop.PASSWORD";
  expect(explained(`${path}.store`, from("{ store: OTHER, version: 3 }"))?.value).toBe("OTHER");
  expect(explained(`${path}.version`, from("{ store: OTHER, version: 3 }"))?.value).toBe(3);
  expect(explained(`${path}.store`, from("{ store: true }"))?.value).toBe(true);
  expect(explained(`${path}.env`, from("{ env: CI_KEY }"))?.value).toBe("CI_KEY");
  expect(explained(`${path}.command`, from("{ command: [tool, hunter22] }"))?.value).toEqual(["[secret]", "[secret]"]);
});

test("a secret that is called as a source is, is none", () => {
  for (const name of ["env", "store"]) {
    const open = text.replace("PASSWORD: { secure: v1:xyz }", `${name}: hunter22`);
    expect(explained(`ikoma:secrets.shop.${name}`, open)).toMatchObject({ value: "[secret]" });
    expect(JSON.stringify(explainConfig(open, "x"))).not.toContain("hunter22");
  }
});

test("an encrypted input of a step is masked as well", () => {
  const step = "  ikoma:setup:\n    vps1: { prepare: [{ name: one, create: read key, stdin: { secure: v1:step } }] }\n";
  const prepare = explained("ikoma:setup.vps1.prepare", text + step);
  expect(prepare).toMatchObject({ value: [{ name: "one", stdin: "[secret]" }], origin: file(17) });
});

test("settings of other packages are none of its business", () => {
  expect(explainConfig(text, "x").filter(({ path }) => !path.startsWith("ikoma:"))).toEqual([]);
});

test("a wrong setting is named by its path", () => {
  expect(() => explainConfig(text.replace("env:", "envs:"), "Pulumi.prod.yaml")).toThrow(
    expect.objectContaining({
      code: "CONFIG_INVALID",
      message: 'Pulumi.prod.yaml: ikoma:apps.shop.envs: unknown setting; did you mean "env"?',
    }),
  );
});

test("a file without settings has only what holds by default", () => {
  expect(explainConfig("", "x")).toEqual([{ path: "ikoma:offline", value: false, origin: { kind: "default" } }]);
});
