import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { BundleManifest } from "../../src/core/bundle/manifest.ts";
import { writeBundleFile } from "../../src/core/bundle/bundle-store.ts";
import { driftReport } from "../../src/core/deployer/drift-report.ts";
import type { EngineEvent } from "../../src/core/engine/engine-event.ts";
import type { ReadReport } from "../../src/core/engine/engine-run.ts";
import { environment } from "../../stacks/environment.ts";
import { FakeAgent } from "../doubles/agent.ts";
import { SupabaseCloud } from "../doubles/supabase/index.ts";
import { appManifest, web } from "./app-manifest.ts";
import { digestOf, hostAddress } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

const token = "ikoma:data:Supabase";
const functionSecret = "sk_live_canary";
let double: SupabaseCloud;
let agent: FakeAgent;
let stack: TestStack;

beforeEach(async () => {
  double = await SupabaseCloud.start();
  agent = new FakeAgent();
  stack = await TestStack.create({ [hostAddress]: agent });
});

afterEach(async () => {
  await double[Symbol.asyncDispose]();
  await stack.remove();
});

const asked = (name: string) => ({ name, required: true });

function manifest(version: string): BundleManifest {
  const services = { web: web({ URL: "${SUPABASE_URL}", KEY: "${SUPABASE_PUBLISHABLE_KEY}" }) };
  return appManifest(services, { version, variables: [asked("SUPABASE_URL"), asked("SUPABASE_PUBLISHABLE_KEY")] });
}

/** Settings of one app with this Supabase, its secrets from the environment. */
async function settle(supabase: Readonly<Record<string, unknown>>, version = "v1"): Promise<void> {
  const bundle = await writeBundleFile(manifest(version), join(stack.workDir, `${version}.bundle.json`));
  const secrets = {
    SUPABASE_ACCESS_TOKEN: { env: "TEST_SUPABASE_TOKEN" },
    SUPABASE_DB_PASSWORD: { env: "TEST_STRIPE" },
    STRIPE: { env: "TEST_STRIPE" },
  };
  const settings = {
    "ikoma:hosts": { vps1: { address: hostAddress, hostKey: "ssh-ed25519 AAAA" } },
    "ikoma:apps": { shop: { host: "vps1", bundle, supabase } },
    "ikoma:secrets": { shop: secrets },
  };
  await writeFile(stack.configFile, JSON.stringify({ config: settings }));
  process.env["TEST_SUPABASE_TOKEN"] = double.accessToken;
  process.env["TEST_STRIPE"] = functionSecret;
}

function cloud(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const { ref, url, publishableKey } = double;
  const auth = { siteUrl: "https://shop.example", redirectUrls: ["https://shop.example/*"] };
  const functionSecrets = { STRIPE_KEY: "STRIPE" };
  return {
    mode: "cloud",
    ref,
    api: url,
    url,
    publishableKey,
    auth,
    functionSecrets,
    buckets: { avatars: {} },
    ...more,
  };
}

const kinds = (): string[] => agent.started.splice(0).map(({ kind }) => kind);

async function planned(): Promise<unknown> {
  const { plan } = await stack.preview(environment);
  return plan.find(({ type }) => type === token);
}

/** What `ikoma drift` looks at. */
async function look() {
  const reads: ReadReport[] = [];
  await stack.run("drift", environment, { onRead: (read) => void reads.push(read) });
  return driftReport("dev", reads);
}

/** All that a run said. */
function listener() {
  const texts: string[] = [];
  return { texts, onEvent: (event: EngineEvent) => void texts.push(JSON.stringify(event)) };
}

test("planned, set before the release, left alone, told as drifted setting by setting, put right, and kept", async () => {
  const said = listener();
  await settle(cloud());
  const { plan } = await stack.preview(environment, said);
  expect(plan).toContainEqual(expect.objectContaining({ type: token, operation: "create" }));
  expect(said.texts.join("\n")).toContain('sets auth.siteUrl: it is \\"http://localhost:3000\\", not');
  expect(double.takeChanges()).toEqual([]);

  const { outputs } = await stack.up(environment, said);
  const project = `/v1/projects/${double.ref}`;
  expect(double.takeChanges()).toEqual([
    `PATCH ${project}/config/auth`,
    `POST ${project}/secrets`,
    "POST /storage/v1/bucket",
  ]);
  expect(kinds()).toEqual(["site.apply", "bundle.stage", "release.apply"]);
  expect(agent.part("shop", "release")?.input).toMatchObject({
    spec: { services: { web: { environment: { URL: double.url, KEY: double.publishableKey } } } },
  });

  await expect(stack.up(environment, said)).resolves.toMatchObject({ changes: { create: 0, update: 0 } });
  expect(double.takeChanges()).toEqual([]);

  double.auth["site_url"] = "https://evil.example";
  double.buckets.clear();
  double.secrets.set("STRIPE_KEY", "another");
  const report = await look();
  expect(report).toMatchObject({ state: "drifted" });
  expect(report.differences).toMatchObject([
    { part: "supabase", path: "settings.auth.siteUrl", found: '"https://evil.example"' },
    { part: "supabase", path: "settings.buckets.avatars", message: "there is no such bucket" },
    { part: "supabase", path: "settings.functionSecrets.STRIPE_KEY", message: "it has another value" },
  ]);
  expect(await planned()).toMatchObject({
    operation: "update",
    changes: [
      { path: "settings.auth.siteUrl", new: "https://shop.example" },
      { path: "settings.buckets.avatars" },
      { path: "settings.functionSecrets.STRIPE_KEY" },
    ],
  });
  await expect(stack.up(environment, said)).resolves.toMatchObject({ changes: { update: 1 } });
  expect(double.auth["site_url"]).toBe("https://shop.example");
  expect(double.buckets.has("avatars")).toBe(true);
  expect(double.secrets.get("STRIPE_KEY")).toBe(functionSecret);

  double.takeChanges();
  await stack.run("destroy", () => Promise.resolve({}), said);
  expect(double.takeChanges()).toEqual([]);
  const everywhere = [await stack.allState(), JSON.stringify(outputs), ...said.texts].join("\n");
  expect(everywhere).toContain("https://shop.example");
  for (const secret of [double.accessToken, functionSecret, double.secretKey, double.smtpPassword])
    expect(everywhere).not.toContain(secret);
});

test("a Supabase that is down holds up no release that does not change it, and is unknown for drift", async () => {
  const settings = cloud();
  await settle(settings);
  await stack.up(environment);
  kinds();
  await double[Symbol.asyncDispose]();
  await settle(settings, "v2");
  const said = listener();
  await stack.up(environment, said);
  expect(kinds()).toContain("release.apply");
  expect(said.texts.join("\n")).toContain("not looked at: Supabase's Management API");
  await expect(look()).resolves.toMatchObject({
    state: "unknown",
    unreadable: [{ part: "supabase", code: "SUPABASE_UNREACHABLE" }],
  });

  said.texts.length = 0;
  await stack.preview(environment, { ...said, env: { ...stack.env, IKOMA_OFFLINE: "1" } });
  expect(said.texts.join("\n")).not.toContain("not looked at");
  expect(said.texts.join("\n")).toContain("drift unknown");
});

test("what Supabase refuses stops the deploy before the release, and says no secret", async () => {
  await settle(cloud());
  const message = `${functionSecret} is not allowed for ${double.accessToken}`;
  double.instead.push({ fits: ({ path }) => path.endsWith("/secrets"), answer: [400, { message }] });
  const error: unknown = await stack.up(environment).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "SUPABASE_REFUSED", message: expect.stringContaining("[secret]") });
  expect(JSON.stringify(error) + String(error)).not.toMatch(/canary|sbp_/);
  expect(kinds()).not.toContain("release.apply");
});

test("what would be refused fails the plan already, and never a rollback", async () => {
  await settle(cloud());
  await stack.up(environment);
  await settle(cloud({ publishableKey: "sb_publishable_other" }));
  await expect(stack.preview(environment)).rejects.toMatchObject({ code: "SUPABASE_KEY_INVALID" });
  kinds();
  await settle(cloud({ publishableKey: "sb_publishable_other" }), "v2");
  const said = listener();
  await stack.up(() => environment({ rollbackTo: 1 }), said);
  expect(kinds()).toContain("release.apply");
  expect(said.texts.join("\n")).toContain("not set, and the rollback goes on: supabase.publishableKey");
});

test("a rollback waits for no project that comes up", async () => {
  await settle(cloud());
  await stack.up(environment);
  await settle(cloud({ auth: { siteUrl: "https://other.example" } }), "v2");
  for (const project of double.projects) project.status = "COMING_UP";
  const said = listener();
  await stack.up(() => environment({ rollbackTo: 1 }), said);
  expect(said.texts.join("\n")).toContain("not set, and the rollback goes on: The project");
  expect(said.texts.join("\n")).not.toContain("waits for the project");
});

test("a ref that is wrong, or a project that is paused, fails the plan", async () => {
  await settle(cloud({ ref: "q".repeat(20) }));
  await expect(stack.preview(environment)).rejects.toMatchObject({ code: "SUPABASE_UNAVAILABLE" });
  for (const project of double.projects) project.status = "INACTIVE";
  await settle(cloud());
  await expect(stack.preview(environment)).rejects.toMatchObject({
    code: "SUPABASE_UNAVAILABLE",
    hint: expect.stringContaining("It is paused"),
  });
});

describe("a project that was made", () => {
  const create = { organization: "acme", name: "new", region: "eu-central-1" };
  const making = (more: Readonly<Record<string, unknown>> = {}) => cloud({ ref: undefined, create, ...more });

  beforeEach(async () => {
    await settle(making());
    await stack.up(environment);
    double.takeChanges();
  });

  test("is not replaced by an empty one when it is gone", async () => {
    double.projects.pop();
    // What is read of a project that is gone must not make it forgotten.
    await look();
    const gone = { code: "SUPABASE_UNAVAILABLE", message: expect.stringContaining("its data with it") };
    await expect(stack.preview(environment)).rejects.toMatchObject(gone);
    await expect(stack.up(environment)).rejects.toMatchObject(gone);
    await expect(stack.up(environment)).rejects.toMatchObject(gone);
    expect(double.takeChanges()).toEqual([]);
  });

  test("is known to a plan by another name too", async () => {
    for (const project of double.projects) project.name = "renamed";
    await settle(making({ auth: { siteUrl: "https://other.example" } }));
    const said = listener();
    await stack.preview(environment, said);
    expect(said.texts.join("\n")).toContain("sets auth.siteUrl: ");
    expect(said.texts.join("\n")).not.toContain("no such project");
  });
});

test("a secret that is missing is named before anything is done", async () => {
  await settle(cloud({ accessToken: "OTHER" }));
  await expect(stack.up(environment)).rejects.toMatchObject({
    code: "CONFIG_MISSING",
    hint: expect.stringContaining("ikoma:secrets.shop.OTHER"),
  });
  expect(double.asked).toEqual([]);
});

test("a self-hosted one is planned with its release, whose digest nobody knows yet", async () => {
  const part = (image: string, kind: "web" | "worker") => {
    const definition = { image: `registry.example/${image}@${digestOf("1")}`, environment: {} };
    return { kind, reason: "its image", definition };
  };
  const services = { kong: part("kong", "web"), auth: part("gotrue", "worker"), rest: part("postgrest", "worker") };
  const routes = [{ path: "/", service: "kong", port: 8000 }];
  const bundle = await writeBundleFile(appManifest(services, { routes }), join(stack.workDir, "v1.bundle.json"));
  const hosts = { vps1: { address: hostAddress, hostKey: "ssh-ed25519 AAAA" } };
  const config = { "ikoma:hosts": hosts, "ikoma:apps": { shop: { host: "vps1", bundle } } };
  await writeFile(stack.configFile, JSON.stringify({ config }));
  expect(await planned()).toMatchObject({ operation: "create" });
});
