import { execFile } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "@jest/globals";
import { operations } from "../../src/agent/protocol/operations.ts";
import type { BundleManifest } from "../../src/core/bundle/manifest.ts";
import { writeBundleFile } from "../../src/core/bundle/bundle-store.ts";
import { targeted } from "../../src/core/deployer/deploy-run.ts";
import { IkomaError } from "../../src/core/errors.ts";
import { withConfigOverride } from "../../src/core/engine/stack-config-file.ts";
import { accessoriesDifferences, releaseDifferences } from "../../src/core/release/match-bundle.ts";
import { openProof } from "../../src/core/signing/bundle-proof.ts";
import { signBundle } from "../../src/core/signing/sign-bundle.ts";
import { createKeyPair } from "../../src/core/signing/signing-key.ts";
import { environment } from "../../stacks/environment.ts";
import { FakeAgent } from "../doubles/agent.ts";
import { appManifest, database, web } from "./app-manifest.ts";
import { hostAddress } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

const stacks: TestStack[] = [];

afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.remove();
});

function manifest(version: string, digit: string): BundleManifest {
  const environment = {
    DATABASE_URL: "postgres://app:${DB_PASSWORD}@db/shop",
    LEVEL: "${LEVEL:-info}",
    NAME: "${NAME}",
  };
  const services = { web: web(environment, digit), db: database({ POSTGRES_PASSWORD: "${DB_PASSWORD}" }) };
  return appManifest(services, { version, volumes: { data: { external: false } } });
}

/** An environment with one app on a fake host; its settings below `env:` may be given. */
async function environmentStack(agent: FakeAgent, env = "NAME: shop"): Promise<TestStack> {
  const stack = await TestStack.create({ [hostAddress]: agent });
  stacks.push(stack);
  const reference = await writeBundleFile(manifest("v1", "1"), join(stack.workDir, "v1.bundle.json"));
  await writeFile(
    stack.configFile,
    `# Kept.
config:
  ikoma:hosts:
    vps1: { address: ${hostAddress}, hostKey: ssh-ed25519 AAAA }
  ikoma:apps:
    shop:
      host: vps1
      domains: [shop.example]
      bundle: ${reference}
      protectAccessories: false
      env: { ${env} }
`,
  );
  await pulumi(stack, ["stack", "init", "dev"]);
  return stack;
}

async function pulumi(stack: TestStack, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { stdout } = await promisify(execFile)("pulumi", [...args, "--non-interactive"], {
    cwd: stack.workDir,
    env: { ...process.env, ...stack.env, NODE_OPTIONS: "", ...env },
  });
  return stdout;
}

function setSecret(stack: TestStack): Promise<string> {
  return pulumi(stack, [
    "config",
    "set",
    "--stack",
    "dev",
    "--secret",
    "--path",
    "ikoma:secrets.shop.DB_PASSWORD",
    "hunter2-db",
  ]);
}

test("an environment is staged, given its accessories, then released, and exports what serves", async () => {
  const agent = new FakeAgent();
  const stack = await environmentStack(agent);
  await setSecret(stack);
  const result = await stack.up(environment);

  expect(agent.started.map(({ kind }) => kind)).toEqual([
    "site.apply",
    "bundle.stage",
    "accessories.apply",
    "release.apply",
  ]);
  expect(agent.part("shop", "release")?.input).toMatchObject({
    spec: {
      version: "v1",
      services: {
        web: { environment: { DATABASE_URL: "postgres://app:hunter2-db@db/shop", LEVEL: "info", NAME: "shop" } },
      },
    },
    redact: expect.arrayContaining(["hunter2-db"]) as unknown,
    source: { bundle: expect.stringContaining("v1.bundle.json@sha256:") as unknown, env: { NAME: "shop" } },
  });
  expect(agent.part("shop", "accessories")?.input).toMatchObject({
    spec: { services: { db: { kind: "accessory" } }, volumes: { data: {} } },
  });
  expect(result.outputs).toMatchObject({
    apps: { shop: { number: 1, version: "v1", host: "vps1", url: "http://shop.example/" } },
  });
  expect(result.changes).toEqual({ create: 4, update: 0, delete: 0, same: 0 });
  expect(await stack.allState()).not.toContain("hunter2");

  await expect(stack.up(environment)).resolves.toMatchObject({ changes: { same: 4 } });
});

test("of a signed bundle the host is told what it needs to check it, and what it is told to run passes that check", async () => {
  const agent = new FakeAgent();
  const stack = await environmentStack(agent);
  await setSecret(stack);
  const { privateKeyPem, publicKeyPem } = createKeyPair();
  const [reference = ""] = /\S+v1\.bundle\.json@\S+/.exec(await stack.configText()) ?? [];
  await signBundle(reference, createPrivateKey(privateKeyPem));
  await stack.up(environment);

  const staged = operations["bundle.stage"].input.parse(agent.part("shop", "bundle")?.input);
  expect(staged).toMatchObject({ signatures: [expect.stringMatching(/^SHA256:/)] });
  const [proof] = staged.proofs ?? [];
  if (proof === undefined) throw new Error("no proof came to the host");
  const signed = openProof(staged.bundle, proof, { ci: publicKeyPem });
  const { spec, source, secrets = {} } = operations["release.apply"].input.parse(agent.part("shop", "release")?.input);
  const env = { NAME: "shop" };
  expect(source).toMatchObject({ env });
  expect(releaseDifferences(signed, spec, { env, secrets })).toEqual([]);
  const lasting = operations["accessories.apply"].input.parse(agent.part("shop", "accessories")?.input);
  expect(lasting.origin).toEqual({ bundle: staged.bundle, env, secrets: { DB_PASSWORD: "hunter2-db" } });
  expect(accessoriesDifferences(signed, lasting.spec, { env, secrets: { DB_PASSWORD: "hunter2-db" } })).toEqual([]);
  expect(await stack.allState()).not.toContain("hunter2");

  await expect(stack.up(environment)).resolves.toMatchObject({ changes: { same: 4 } });
  await signBundle(reference, createPrivateKey(createKeyPair().privateKeyPem));
  await stack.changeConfig((text) =>
    text.replace("      host: vps1", "      host: vps1\n      requireSignature: true"),
  );
  await expect(stack.up(environment)).resolves.toMatchObject({ changes: { update: 1, same: 3 } });
  expect(agent.part("shop", "bundle")?.input).toMatchObject({ requireSignature: "always", signatures: { length: 2 } });
});

test("where its settings ask for it, a backup comes between the accessories and each release that changes", async () => {
  const agent = new FakeAgent();
  const stack = await environmentStack(agent);
  await setSecret(stack);
  await stack.changeConfig((text) =>
    text.replace("      domains:", "      backup: { schedule: daily 03:00 }\n      domains:"),
  );
  await stack.up(environment);
  const kinds = (): string[] => agent.started.splice(0).map(({ kind }) => kind);
  expect(kinds()).toEqual(["site.apply", "bundle.stage", "accessories.apply", "backup.ensure", "release.apply"]);
  expect(agent.part("shop", "backup")?.input).toMatchObject({
    app: "shop",
    policy: { schedule: "daily 03:00", timeZone: "UTC", level: "compare", maxAgeMinutes: 60, keep: { daily: 7 } },
  });
  expect(await stack.allState()).not.toContain("hunter2");

  // However old the last one is.
  await expect(stack.up(environment)).resolves.toMatchObject({ changes: { same: 5 } });
  await expect(stack.up(() => environment({ note: "again", redeploy: true }))).resolves.toBeDefined();
  expect(kinds().filter((kind) => kind === "backup.ensure")).toEqual([]);

  agent.failNext("backup.ensure", new IkomaError("BACKUP_UNVERIFIED", "its largest table is empty"));
  await stack.changeConfig((text) => text.replace("NAME: shop", "NAME: other"));
  await expect(stack.up(environment)).rejects.toMatchObject({ code: "BACKUP_UNVERIFIED" });
  expect(kinds()).toEqual(["backup.ensure"]);
  await stack.up(environment);
  expect(kinds()).toEqual(["backup.ensure", "release.apply"]);
});

test("a secret that a command prints reaches the host and stays out of the state; another value is a change", async () => {
  const agent = new FakeAgent();
  const stack = await environmentStack(agent);
  const vault = join(stack.workDir, "vault");
  await writeFile(vault, "hunter2-db\n");
  const secrets = `  ikoma:secrets: { shop: { DB_PASSWORD: { command: [cat, ${JSON.stringify(vault)}] } } }\n`;
  await stack.changeConfig((text) => text.replace("  ikoma:apps:\n", `${secrets}  ikoma:apps:\n`));
  await stack.up(environment);
  expect(agent.part("shop", "release")?.input).toMatchObject({
    spec: { services: { web: { environment: { DATABASE_URL: "postgres://app:hunter2-db@db/shop" } } } },
    redact: expect.arrayContaining(["hunter2-db"]) as unknown,
  });
  expect(await stack.allState()).not.toContain("hunter2");
  await expect(stack.preview(environment)).resolves.toMatchObject({ changes: { same: 4 } });

  await writeFile(vault, "hunter3-db\n");
  await expect(stack.preview(environment)).resolves.toMatchObject({ changes: { update: 2, same: 2 } });
  await rm(vault);
  await expect(stack.preview(environment)).rejects.toMatchObject({
    code: "CONFIG_MISSING",
    message: expect.stringMatching(/^ikoma:secrets\.shop\.DB_PASSWORD: `cat .*` ended with 1/) as unknown,
  });
});

test("a variable without a value is named in the plan, and the command of the hint sets it", async () => {
  const agent = new FakeAgent();
  const stack = await environmentStack(agent, "");
  const error: unknown = await stack.preview(environment).catch((each: unknown) => each);
  expect(error).toMatchObject({ code: "CONFIG_MISSING", details: { variables: ["DB_PASSWORD"] } });
  expect(error).toMatchObject({
    hint: expect.stringContaining(
      "pulumi config set --stack dev --secret --path 'ikoma:secrets.shop.DB_PASSWORD'",
    ) as unknown,
  });
  await setSecret(stack);
  await expect(stack.preview(environment)).rejects.toMatchObject({
    message: "shop needs NAME: no value is set in the stack dev.",
  });
  await pulumi(stack, ["config", "set", "--stack", "dev", "--path", "ikoma:apps.shop.env.NAME", "shop"]);
  await expect(stack.preview(environment)).resolves.toMatchObject({ changes: { create: 4 } });
  expect(agent.calls).toEqual([]);
});

test("a wrong setting is named by its path, with the nearest name", async () => {
  const stack = await environmentStack(new FakeAgent());
  await stack.changeConfig((text) => text.replace("domains:", "domans:"));
  await expect(stack.preview(environment)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: 'ikoma:apps.shop.domans: unknown setting; did you mean "domains"?',
  });
});

test.each(["configuration", "environment"])(
  "made offline by %s, a plan dials no host, though the state knows how",
  async (by) => {
    const agent = new FakeAgent();
    const stack = await environmentStack(agent);
    await setSecret(stack);
    await stack.up(environment);
    const calls = agent.calls.length;
    if (by === "configuration")
      await stack.changeConfig((text) => text.replace("config:\n", "config:\n  ikoma:offline: true\n"));
    const env = by === "environment" ? { ...stack.env, IKOMA_OFFLINE: "1" } : stack.env;
    await expect(stack.preview(environment, { env })).resolves.toMatchObject({ changes: { same: 4 } });
    expect(agent.calls).toHaveLength(calls);
  },
);

test("an app with a protected database is not taken away when its settings go: not even its release", async () => {
  const agent = new FakeAgent();
  const stack = await environmentStack(agent);
  await setSecret(stack);
  await stack.changeConfig((text) => text.replace("protectAccessories: false", "protectAccessories: true"));
  await stack.up(environment);
  const started = agent.started.length;
  const whole = await stack.configText();
  await stack.changeConfig((text) => text.replace(/ {2}ikoma:(apps|secrets):\n(?: {4}.*\n)+/g, ""));
  await expect(stack.up(environment)).rejects.toMatchObject({
    hint: expect.stringContaining("protectAccessories: false") as unknown,
  });
  await expect(stack.destroy()).rejects.toMatchObject({ code: "ENGINE_FAILED" });
  expect(agent.started).toHaveLength(started);

  // What the hint says.
  await stack.changeConfig(() => whole.replace("protectAccessories: true", "protectAccessories: false"));
  await stack.up(environment);
  await stack.changeConfig((text) => text.replace(/ {2}ikoma:(apps|secrets):\n(?: {4}.*\n)+/g, ""));
  await expect(stack.up(environment)).resolves.toMatchObject({ changes: { delete: 4 } });
  expect(agent.started.slice(started).map(({ kind }) => kind)).toEqual([
    "release.remove",
    "accessories.remove",
    "bundle.remove",
    "site.remove",
  ]);
});

test("a run with other settings leaves the stack's file as it is, secrets readable, accessories where they are", async () => {
  const agent = new FakeAgent();
  const stack = await environmentStack(agent);
  await setSecret(stack);
  await stack.up(environment);
  const before = await stack.configText();
  const [pinned] = /\S+v1\.bundle\.json@\S+/.exec(before) ?? [];
  const next = await writeBundleFile(manifest("v2", "2"), join(stack.workDir, "v2.bundle.json"));
  const settings = [
    { path: ["ikoma:apps", "shop", "bundle"], value: next },
    { path: ["ikoma:apps", "shop", "accessoriesBundle"], value: pinned },
  ];
  const result = await withConfigOverride(stack.configFile, settings, (configFile) =>
    stack.up(() => environment({ note: "try" }), { configFile }),
  );
  expect(result.plan.filter(({ operation }) => operation !== "same").map(({ type }) => type)).toEqual([
    "ikoma:vps:Bundle",
    "ikoma:vps:Release",
  ]);
  expect(agent.part("shop", "release")?.input).toMatchObject({ note: "try", spec: { version: "v2" } });
  expect(await stack.configText()).toBe(before);
});

test("a run for one app of several comes with the images that are looked for before it", async () => {
  const stack = await environmentStack(new FakeAgent());
  const bundle = await writeBundleFile(appManifest({ web: web({}) }), join(stack.workDir, "small.bundle.json"));
  const app = { host: "vps1", bundle, checkImages: true };
  const hosts = { vps1: { address: hostAddress, hostKey: "ssh-ed25519 AAAA" } };
  const config = { "ikoma:hosts": hosts, "ikoma:apps": { shop: app, "shop-web": app } };
  await writeFile(stack.configFile, JSON.stringify({ config }));
  const { plan } = await stack.preview(environment, { env: { ...stack.env, ...targeted("shop") } });
  const made = plan.filter(({ operation }) => operation === "create").map(({ name, type }) => `${name} ${type}`);
  expect(made).toEqual([
    "shop ikoma:vps:Site",
    "shop/web ikoma:registry:Image",
    "shop ikoma:vps:Bundle",
    "shop ikoma:vps:Release",
  ]);
});

test("a value that is said to be a secret from now on is told to the host as one, and is in the state no more", async () => {
  const agent = new FakeAgent();
  const stack = await environmentStack(agent, "NAME: shop, LEVEL: hunter2-level, DB_PASSWORD: hunter2-db");
  await stack.up(environment);
  expect(await stack.stateText()).toContain("hunter2-level");
  const started = agent.started.length;

  await stack.changeConfig((text) => text.replace(" LEVEL: hunter2-level, DB_PASSWORD: hunter2-db", ""));
  await setSecret(stack);
  const level = ["config", "set", "--stack", "dev", "--secret", "--path", "ikoma:secrets.shop.LEVEL", "hunter2-level"];
  await pulumi(stack, level);
  const marked = await stack.preview(environment);
  expect(marked.plan.flatMap(({ changes }) => changes.map(({ path }) => path))).toEqual(["secrets", "secrets"]);
  expect(JSON.stringify(marked)).not.toContain("hunter2");
  await stack.up(environment);
  expect(await stack.stateText()).not.toContain("hunter2");
  const release = agent.part("shop", "release")?.input;
  expect(release).toMatchObject({
    secrets: { LEVEL: "hunter2-level", DB_PASSWORD: "hunter2-db" },
    source: { env: { NAME: "shop" } },
  });

  const again = agent.started.length;
  expect((await stack.up(environment)).changes).toMatchObject({ update: 0 });
  expect(agent.started.slice(started).map(({ kind }) => kind)).toEqual(["accessories.apply", "release.apply"]);
  expect(agent.started).toHaveLength(again);
});
