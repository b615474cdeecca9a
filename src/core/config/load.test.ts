import { expect, test } from "@jest/globals";
import { loadBridgeConfig, loadEnvironmentConfig, loadHostsConfig } from "./load.ts";

const host = { address: "203.0.113.1", hostKey: "ssh-ed25519 AAAA" };

/** Configuration as Pulumi hands it over: objects as JSON. */
function raw(values: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, JSON.stringify(value)]));
}

function problemsOf(values: Readonly<Record<string, unknown>>): unknown {
  try {
    return loadEnvironmentConfig(raw(values));
  } catch (error) {
    return error;
  }
}

test("an environment is read with its defaults, and settings of other packages are left alone", () => {
  const config = loadEnvironmentConfig(
    raw({
      "ikoma:hosts": { vps1: host },
      "ikoma:apps": { shop: { host: "vps1" } },
      "ikoma:secrets": { shop: { PW: "x" } },
      "github:owner": "me",
    }),
  );
  expect(config.hosts["vps1"]).toEqual({ ...host, port: 22, user: "root" });
  expect(config.apps["shop"]).toMatchObject({ host: "vps1", domains: [], env: {}, keep: 5, protectAccessories: true });
  expect(config).toMatchObject({ secrets: { shop: { PW: "x" } }, offline: false });
});

test.each([
  ["a key with a typing error", { "ikoma:app": {} }, 'ikoma:app: unknown setting; did you mean "apps"?'],
  [
    "a setting with a typing error",
    { "ikoma:hosts": { vps1: { ...host, adress: "x" } } },
    'ikoma:hosts.vps1.adress: unknown setting; did you mean "address"?',
  ],
  [
    "a nested setting",
    { "ikoma:hosts": { vps1: host }, "ikoma:apps": { shop: { host: "vps1", health: { pth: "/" } } } },
    'ikoma:apps.shop.health.pth: unknown setting; did you mean "path"?',
  ],
  [
    "a schedule that is none",
    { "ikoma:hosts": { vps1: host }, "ikoma:apps": { shop: { host: "vps1", backup: { schedule: "daily 3 am" } } } },
    "ikoma:apps.shop.backup.schedule: `hourly`, `daily 03:00`, `weekly sunday 03:00` or five cron fields",
  ],
  [
    "a wrong type",
    { "ikoma:hosts": { vps1: { ...host, port: "ssh" } } },
    "ikoma:hosts.vps1.port: Invalid input: expected number, received string",
  ],
  [
    "an unknown host",
    { "ikoma:hosts": { vps1: host }, "ikoma:apps": { shop: { host: "vps2" } } },
    'ikoma:apps.shop.host: there is no host "vps2" in ikoma:hosts; did you mean "vps1"?',
  ],
  [
    "secrets of no app",
    { "ikoma:secrets": { shop: { PW: "x" } } },
    'ikoma:secrets.shop: there is no app "shop" in ikoma:apps',
  ],
  [
    "a value that is secret and plain",
    {
      "ikoma:hosts": { vps1: host },
      "ikoma:apps": { shop: { host: "vps1", env: { PW: "y" } } },
      "ikoma:secrets": { shop: { PW: "x" } },
    },
    "ikoma:secrets.shop.PW: has a value in ikoma:apps.shop.env as well",
  ],
  [
    "a secret from nowhere",
    { "ikoma:secrets": { shop: { PW: { stroe: true } } } },
    "ikoma:secrets.shop.PW: a value, {env: NAME}, {command: [PROGRAM, …]} or {store: true}, {store: NAME, version: N}",
  ],
  [
    "a password in the settings",
    { "ikoma:store": { url: "postgres://anna:hunter2@db.example/secrets" } },
    "ikoma:store.url: a password in it; the login comes from IKOMA_STORE_URL_FILE",
  ],
])("%s is named by its path", (_what, values, message) => {
  expect(problemsOf(values)).toMatchObject({ code: "CONFIG_INVALID", message });
});

test("of two values of one name the plain one has to go", () => {
  const apps = { shop: { host: "vps1", env: { PW: "" } } };
  const both = { "ikoma:hosts": { vps1: host }, "ikoma:apps": apps, "ikoma:secrets": { shop: { PW: "x" } } };
  expect(problemsOf(both)).toMatchObject({ hint: expect.stringContaining("the one in `env`") });
});

test("a name that resembles no other gets no suggestion", () => {
  expect(problemsOf({ "ikoma:databases": {} })).toMatchObject({ message: "ikoma:databases: unknown setting" });
});

test("a host without a setup gets the defaults, and a setup without a host is refused", () => {
  expect(loadHostsConfig(raw({ "ikoma:hosts": { vps1: host } })).setup).toEqual({
    vps1: { httpPort: 80, httpsPort: 443, networkPool: "10.210.0.0/16", imageBudgetGb: 10 },
  });
  expect(() => loadHostsConfig(raw({ "ikoma:setup": { vps1: {} } }))).toThrow(
    'ikoma:setup.vps1: there is no host "vps1"',
  );
});

test("what prepares a host is apart from what is set up there, and only where there is something", () => {
  const step = { name: "swap", create: "swapon /swap" };
  const hosts = { vps1: host, vps2: host };
  const config = loadHostsConfig(raw({ "ikoma:hosts": hosts, "ikoma:setup": { vps1: { prepare: [step] } } }));
  expect(config.prepare).toEqual({ vps1: [{ ...step, triggers: [] }] });
  expect(config.setup["vps1"]).toEqual(config.setup["vps2"]);
  const of = (prepare: unknown) => () =>
    loadHostsConfig(raw({ "ikoma:hosts": hosts, "ikoma:setup": { vps1: { prepare } } }));
  expect(of([step, step])).toThrow("ikoma:setup.vps1.prepare: two steps have the same name");
  expect(of([{ ...step, creat: "x" }])).toThrow(
    'ikoma:setup.vps1.prepare.0.creat: unknown setting; did you mean "create"?',
  );
  expect(of([{ ...step, name: "a/b" }])).toThrow("ikoma:setup.vps1.prepare.0.name: lower-case letters");
});

test("a host is reached over SSH, through the API, or by the agent's socket", () => {
  const hosts = {
    vps1: host,
    vps2: { api: "https://bridge.example" },
    here: { socket: "/var/lib/ikoma/run/agent.sock" },
  };
  expect(loadEnvironmentConfig(raw({ "ikoma:hosts": hosts })).hosts).toEqual({
    ...hosts,
    vps1: { ...host, port: 22, user: "root" },
  });
});

test.each([
  [
    "through the API with a typing error",
    { api: "https://b.example", caCrt: "x" },
    '.caCrt: unknown setting; did you mean "caCert"?',
  ],
  ["through the API in plain text", { api: "http://bridge.example" }, ".api: plain HTTP only on this machine"],
  [
    "through the API with a login",
    { api: "https://me:pw@bridge.example" },
    ".api: an address without user, query or fragment",
  ],
  ["with a certificate that is none", { api: "https://b.example", caCert: "x" }, ".caCert: a certificate as PEM text"],
  ["by a socket of nowhere", { socket: "agent.sock" }, ".socket: an absolute path"],
  [
    "over SSH without its key",
    { address: "203.0.113.1" },
    ".hostKey: Invalid input: expected string, received undefined",
  ],
])("a way that is wrong is named as what it is nearest to: %s", (_what, way, message) => {
  expect(problemsOf({ "ikoma:hosts": { vps1: way } })).toMatchObject({ message: `ikoma:hosts.vps1${message}` });
});

const fingerprint = `${"a".repeat(10)}:${"0".repeat(64)}`;
const bridge = { host: "vps1", domain: "bridge.example", admins: [fingerprint] };
const ofBridge = {
  "ikoma:hosts": { vps1: host },
  "ikoma:bridge": bridge,
  "ikoma:secrets": { bridge: { CERTIFICATE: "PEM" } },
};

test("the Bridge is an environment with one app", () => {
  const config = loadBridgeConfig(raw(ofBridge));
  expect(config.bridge).toMatchObject({ certificate: "CERTIFICATE", admins: [fingerprint] });
  expect(Object.keys(config.apps)).toEqual(["bridge"]);
  expect(config.apps["bridge"]).toMatchObject({ domains: ["bridge.example"], keep: 5, bake: { maxErrorRate: 1 } });
  expect(config.apps["bridge"]).not.toHaveProperty("admins");
});

test.each<[string, Record<string, unknown>, string, string]>([
  ["beside apps", { "ikoma:apps": {} }, "CONFIG_INVALID", "ikoma:apps: the stack `bridge` holds the Bridge alone"],
  [
    "on a host that is none",
    { "ikoma:bridge": { ...bridge, host: "vps2" } },
    "CONFIG_INVALID",
    'ikoma:bridge.host: there is no host "vps2" in ikoma:hosts; did you mean "vps1"?',
  ],
  [
    "with a token in place of its fingerprint",
    { "ikoma:bridge": { ...bridge, admins: ["ikb_admin_x"] } },
    "CONFIG_INVALID",
    "ikoma:bridge.admins.0: a fingerprint, as `ikoma api token admin` prints it",
  ],
  [
    "with administrators twice",
    { "ikoma:bridge": { ...bridge, env: { API_ADMINS: "x" } } },
    "CONFIG_INVALID",
    "ikoma:bridge.env.API_ADMINS: it is made of ikoma:bridge.admins",
  ],
  [
    "with secrets of another app",
    { "ikoma:secrets": { shop: { PW: "x" } } },
    "CONFIG_INVALID",
    'ikoma:secrets.shop: there is no app "shop" here, where ikoma:bridge is the app "bridge"',
  ],
  [
    "with windows of another app",
    { "ikoma:policy": { windows: [{ apps: ["bridg"], from: "09:00" }] } },
    "CONFIG_INVALID",
    'ikoma:policy.windows.0.apps: there is no app "bridg" here, where ikoma:bridge is the app "bridge"; did you mean "bridge"?',
  ],
  [
    "without a certificate",
    { "ikoma:secrets": {} },
    "CONFIG_MISSING",
    "There is no certificate for bridge.example: a token would go there in clear.",
  ],
])("a Bridge %s is refused", (_what, change, code, message) => {
  expect(() => loadBridgeConfig(raw({ ...ofBridge, ...change }))).toThrow(expect.objectContaining({ code, message }));
});

test("the Bridge has a stack of its own, and that stack has to say what it is", () => {
  expect(problemsOf(ofBridge)).toMatchObject({ message: "ikoma:bridge: only the stack `bridge` deploys the Bridge" });
  expect(() => loadBridgeConfig({})).toThrow(expect.objectContaining({ code: "CONFIG_MISSING" }));
});
