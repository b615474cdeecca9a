import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { afterEach, expect, jest, test } from "@jest/globals";
import { writeBundleFile } from "../../src/core/bundle/bundle-store.ts";
import type { BundleManifest, BundleService } from "../../src/core/bundle/manifest.ts";
import { driftReport } from "../../src/core/deployer/drift-report.ts";
import type { MigrationFile } from "../../src/core/migrations/migration-spec.ts";
import type { ReadReport } from "../../src/provider/read-report.ts";
import { environment } from "../../stacks/environment.ts";
import { FakeAgent } from "../doubles/agent.ts";
import { appManifest, web } from "./app-manifest.ts";
import { hostAddress } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

const stacks: TestStack[] = [];

afterEach(async () => {
  delete process.env["URL_OF_TEST"];
  for (const stack of stacks.splice(0)) await stack.remove();
});

function file(version: string, digit = version.slice(-1)): MigrationFile {
  const facts = { version, name: "change", sha256: digit.repeat(64), phase: "expand" as const, findings: [] };
  return { ...facts, text: `-- of ${version}`, statements: [] };
}

function manifest(version: string, files: MigrationFile[]): BundleManifest {
  const served = web({ LEVEL: "${LEVEL:-info}" });
  const db: BundleService = { ...served, kind: "accessory", reason: "a database" };
  return appManifest({ web: served, db }, { version, migrations: { database: "db", files } });
}

/** A stack of one app on a fake host, with a bundle of these migrations. */
async function stackWith(agent: FakeAgent, ...files: MigrationFile[]): Promise<TestStack> {
  const stack = await TestStack.create({ [hostAddress]: agent });
  stacks.push(stack);
  await deploy(stack, manifest("v1", files));
  return stack;
}

/** Pins another bundle, as `deploy apply --bundle` does. */
async function deploy(stack: TestStack, bundle: BundleManifest, more = "env: {}", secrets = "{}"): Promise<void> {
  const reference = await writeBundleFile(bundle, join(stack.workDir, `${bundle.version}.bundle.json`));
  const app = `{ host: vps1, bundle: "${reference}", protectAccessories: false, migrations: { backupMinutes: 7 }, ${more} }`;
  const hosts = `{ vps1: { address: ${hostAddress}, hostKey: ssh-ed25519 AAAA } }`;
  await writeFile(
    stack.configFile,
    `config:\n  ikoma:hosts: ${hosts}\n  ikoma:apps: { shop: ${app} }\n  ikoma:secrets: ${secrets}\n`,
  );
}

const kinds = (agent: FakeAgent): string[] => agent.started.splice(0).map(({ kind }) => kind);

test("migrations run after the accessories and before the release, with the texts of the bundle", async () => {
  const agent = new FakeAgent();
  const stack = await stackWith(agent, file("1"), file("2"));
  await stack.up(environment);
  expect(kinds(agent)).toEqual(["site.apply", "bundle.stage", "accessories.apply", "migration.apply", "release.apply"]);
  expect(agent.part("shop", "migration")?.input).toMatchObject({
    spec: {
      app: "shop",
      database: "db",
      policy: { backupMinutes: 7, lockSeconds: 5 },
      files: [{ text: "-- of 1" }, { text: "-- of 2" }],
    },
  });
  expect(agent.part("shop", "release")?.input).toMatchObject({ migrations: ["1", "2"] });
  expect(await stack.stateText()).not.toContain("-- of 1");
  await stack.up(environment);
  expect(kinds(agent)).toEqual([]);
});

test("a plan shows the files that come; one that is there no more is no change, and what the lint says of it neither", async () => {
  const agent = new FakeAgent();
  const stack = await stackWith(agent, file("1"), file("2"));
  await stack.up(environment);
  const finding = { rule: "truncate", severity: "info" as const, line: 1, message: "it is said now." };
  await deploy(stack, manifest("v1", [{ ...file("1"), findings: [finding] }]));
  expect(await migrationIn(stack)).toMatchObject({ operation: "same" });
  await deploy(stack, manifest("v1", [file("1"), file("2"), file("3")]));
  expect(await migrationIn(stack)).toMatchObject({
    operation: "update",
    changes: [{ path: 'files["3_change"]', kind: "add" }],
  });
});

test("what the host would refuse fails the plan, before anything is changed", async () => {
  const agent = new FakeAgent();
  const stack = await stackWith(agent, file("1"));
  agent.refusal = {
    code: "MIGRATION_REFUSED",
    message: "1_change.sql:1 drop-table: gone.",
    hint: "Do not.",
    details: {},
  };
  await expect(stack.preview(environment)).rejects.toMatchObject({ code: "MIGRATION_REFUSED", hint: "Do not." });
  agent.refusal = undefined;
  await stack.up(environment);
  await deploy(stack, manifest("v2", [file("1"), file("2")]));
  agent.refusal = { code: "MIGRATION_CHANGED", message: "1_change was changed.", hint: "Put it back.", details: {} };
  await expect(stack.preview(environment)).rejects.toMatchObject({ code: "MIGRATION_CHANGED" });
});

test("what the database has not, or has of another text, is drift and put right by the next update", async () => {
  const agent = new FakeAgent();
  const stack = await stackWith(agent, file("1"));
  await stack.up(environment);
  kinds(agent);
  const part = agent.part("shop", "migration");
  if (part !== undefined)
    part.drift = [{ path: 'files["1_change"]', message: "1_change: the database does not have it" }];
  expect(await migrationIn(stack)).toMatchObject({
    operation: "update",
    drift: [expect.stringContaining("does not have it")],
  });
  await stack.up(environment);
  expect(kinds(agent)).toEqual(["migration.apply"]);
});

test("a release does not start when its migrations fail, and a bundle without any undoes none", async () => {
  const agent = new FakeAgent();
  const stack = await stackWith(agent, file("1"));
  await stack.up(environment);
  kinds(agent);
  await deploy(stack, manifest("v2", [file("1"), file("2")]));
  const { IkomaError } = await import("../../src/core/errors.ts");
  agent.failNext("migration.apply", new IkomaError("MIGRATION_FAILED", "2_change.sql:1: no."));
  await expect(stack.up(environment)).rejects.toMatchObject({ code: "MIGRATION_FAILED" });
  expect(kinds(agent)).not.toContain("release.apply");
  await stack.up(environment);
  expect(kinds(agent)).toEqual(expect.arrayContaining(["migration.apply", "release.apply"]));
});

test("a program in place of files is run with its service as it is deployed, and again only for another bundle", async () => {
  const agent = new FakeAgent();
  const stack = await stackWith(agent);
  const migrationCommand = { service: "web", command: ["npx", "migrate"], timeoutSeconds: 60 };
  await deploy(stack, { ...withoutFiles("v1"), migrationCommand });
  await stack.up(environment);
  expect(kinds(agent).slice(-2)).toEqual(["migration.command", "release.apply"]);
  expect(agent.part("shop", "migration")?.input).toMatchObject({
    spec: { ...migrationCommand, definition: { kind: "web", environment: { LEVEL: "info" } } },
  });
  await deploy(stack, { ...withoutFiles("v1"), migrationCommand }, "env: { LEVEL: debug }");
  await stack.up(environment);
  expect(kinds(agent)).not.toContain("migration.command");
  await deploy(stack, { ...withoutFiles("v2"), migrationCommand });
  const { plan } = await stack.preview(environment);
  expect(plan.find(({ type }) => type === "ikoma:data:MigrationCommand")).toMatchObject({
    changes: [{ path: "bundle", kind: "update" }],
  });
});

/** Without an accessory; the database is where this URL leads to. */
async function deployElsewhere(stack: TestStack, url: string, more = "{}", files = [file("1")]): Promise<void> {
  const { services, ...rest } = manifest("v1", []);
  const bundle = { ...rest, services: { web: services["web"] as (typeof services)[string] }, migrations: { files } };
  // A value in the settings would be in the history with them.
  process.env["URL_OF_TEST"] = url;
  await deploy(stack, bundle, `database: ${more}`, "{ shop: { DATABASE_URL: { env: URL_OF_TEST } } }");
}

const at = (host: string, password = "hunter22"): string => `postgresql://postgres:${password}@${host}:5432/shop`;

test("a database elsewhere: the plan says where, the host gets the URL, the state has neither it nor its password", async () => {
  const agent = new FakeAgent();
  const stack = await stackWith(agent);
  await deployElsewhere(stack, at("db.example.com"), '{ identity: "7/shop" }');
  const { plan } = await stack.preview(environment);
  expect(JSON.stringify(plan)).not.toContain("hunter22");
  await stack.up(environment);
  expect(kinds(agent)).toEqual(["site.apply", "bundle.stage", "migration.apply", "release.apply"]);
  expect(agent.part("shop", "migration")?.input).toMatchObject({
    spec: { remote: { url: at("db.example.com"), identity: "7/shop", environment: "dev" }, isBackedUp: false },
    redact: expect.arrayContaining([at("db.example.com"), "hunter22"]) as unknown,
  });
  expect(await stack.stateText()).toContain("db.example.com");
  expect(await stack.allState()).not.toContain("hunter22");

  await deployElsewhere(stack, at("db.example.com", "anothers3cret"), '{ identity: "7/shop" }');
  expect(await migrationIn(stack)).toMatchObject({ operation: "same" });
  await deployElsewhere(stack, at("other.example.com"), '{ identity: "7/shop" }');
  expect(await migrationIn(stack)).toMatchObject({
    operation: "update",
    changes: [{ path: "remote.target.host", old: "db.example.com", new: "other.example.com" }],
  });
  const part = agent.part("shop", "migration");
  if (part !== undefined) part.drift = [{ path: "remote", message: "its migrations cannot be read: away" }];
  await deployElsewhere(stack, at("db.example.com"), '{ identity: "7/shop" }');
  const drifted = await migrationIn(stack);
  expect(drifted).toMatchObject({ operation: "update", drift: [expect.stringContaining("away")] });
  expect(JSON.stringify(drifted)).not.toContain("hunter22");
});

test("another password is no change, and the next look logs in with it", async () => {
  const agent = new FakeAgent();
  const stack = await stackWith(agent);
  await deployElsewhere(stack, at("db.example.com"));
  await stack.up(environment);
  kinds(agent);
  await deployElsewhere(stack, at("db.example.com", "anothers3cret"));
  await stack.up(environment);
  expect(kinds(agent)).toEqual([]);
  const read = jest.spyOn(agent, "read");
  await stack.run("drift", environment, { onRead: () => undefined });
  const looks = read.mock.calls.flatMap(([{ part, expected }]) => (part === "migration" ? [expected] : []));
  expect(looks).toMatchObject([{ remote: { url: at("db.example.com", "anothers3cret") } }]);
  expect(await stack.allState()).not.toContain("anothers3cret");
});

test("a database that lets nobody in is no drift, and is told as not looked at; the next change goes on from there", async () => {
  const agent = new FakeAgent();
  const stack = await stackWith(agent);
  await deployElsewhere(stack, at("db.example.com"));
  await stack.up(environment);
  const part = agent.part("shop", "migration");
  // Another generation: what a run that was killed has done is in no state.
  if (part !== undefined)
    Object.assign(part, {
      unread: { code: "DATABASE_AUTH", message: "no such login", hint: "h", details: {} },
      generation: 7,
    });
  const reads: ReadReport[] = [];
  await stack.run("drift", environment, { onRead: (report) => reads.push(report) });
  expect(driftReport("dev", reads)).toMatchObject({
    state: "unknown",
    unreadable: [{ part: "migration", code: "DATABASE_AUTH", message: "no such login" }],
  });
  expect(await migrationIn(stack)).toMatchObject({ operation: "same" });
  await deployElsewhere(stack, at("db.example.com", "anothers3cret"), "{}", [file("1"), file("2")]);
  await stack.up(environment);
  expect(agent.part("shop", "migration")).toMatchObject({ generation: 8 });
});

test("without a database in the file, the environment has to say one that can be used", async () => {
  const agent = new FakeAgent();
  const stack = await stackWith(agent);
  await deployElsewhere(stack, "unused");
  await stack.changeConfig((text) => text.replace("database: {}", "env: {}"));
  const hint = /set `ikoma:apps\.shop\.database`.*Or add a PostgreSQL accessory/s;
  await expect(stack.preview(environment)).rejects.toMatchObject({
    code: "DATABASE_NOT_FOUND",
    hint: expect.stringMatching(hint) as unknown,
  });
  await deployElsewhere(stack, "unused", "{ url: SUPABASE_DB_URL }");
  await expect(stack.preview(environment)).rejects.toMatchObject({ code: "CONFIG_MISSING" });
  await deployElsewhere(stack, "postgresql://postgres.ref:hunter22@aws-0-eu.pooler.supabase.com:6543/postgres");
  await expect(stack.preview(environment)).rejects.toMatchObject({ code: "DATABASE_POOLED" });
  await deployElsewhere(stack, `${at("db.example.com")}?sslmode=disable`);
  const refused: unknown = await stack.preview(environment).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "DATABASE_URL_INVALID" });
  expect(String(refused)).not.toContain("hunter22");
  expect(agent.started).toEqual([]);
});

function withoutFiles(version: string): BundleManifest {
  const made = manifest(version, []);
  delete made.migrations;
  return made;
}

async function migrationIn(stack: TestStack) {
  const { plan } = await stack.preview(environment);
  return plan.find(({ type }) => type === "ikoma:data:Migration");
}
