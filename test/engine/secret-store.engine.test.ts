import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { writeBundleFile } from "../../src/core/bundle/bundle-store.ts";
import { targeted } from "../../src/core/deployer/deploy-run.ts";
import type { StackResult } from "../../src/core/engine/engine-run.ts";
import type { MigrationFile } from "../../src/core/migrations/migration-spec.ts";
import { environment } from "../../stacks/environment.ts";
import { FakeAgent } from "../doubles/agent.ts";
import { LocalPostgres } from "../rigs/postgres.ts";
import { SecretStoreRig } from "../rigs/secret-store.ts";
import { appManifest, web } from "./app-manifest.ts";
import { digestOf, hostAddress } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

/** Nobody listens there. */
const awayUrl = "postgres://anna:s3cret@127.0.0.1:1/secrets";
const shell = process.env;
let server: LocalPostgres;
let rig: SecretStoreRig;
let stack: TestStack;
let agent: FakeAgent;

const manifest = appManifest({
  web: web({ API_URL: "https://api.example/?key=${API_KEY}", PINNED: "${PINNED}" }),
  cache: { kind: "accessory", reason: "a cache", definition: { image: `registry.example/redis@${digestOf("d")}` } },
});

/** Of a database that a URL leads to. */
const migration: MigrationFile = {
  version: "1",
  name: "change",
  sha256: "1".repeat(64),
  phase: "expand",
  findings: [],
  text: "SELECT 1",
  statements: [],
};

beforeAll(async () => {
  server = await LocalPostgres.start();
});
afterAll(() => server[Symbol.asyncDispose]());

/** A store that anna can read, with both secrets of an app that is not deployed yet. */
beforeEach(async () => {
  rig = await SecretStoreRig.create(server);
  agent = new FakeAgent();
  stack = await TestStack.create({ [hostAddress]: agent });
  const reference = await writeBundleFile(manifest, join(stack.workDir, "v1.bundle.json"));
  await writeFile(
    stack.configFile,
    `config:
  ikoma:hosts:
    vps1: { address: ${hostAddress}, hostKey: ssh-ed25519 AAAA }
  ikoma:apps:
    shop:
      host: vps1
      bundle: ${reference}
      protectAccessories: false
  ikoma:secrets:
    shop:
      API_KEY: { store: true }
      PINNED: { store: OTHER, version: 1 }
  ikoma:store:
    recipients: { anna: ${rig.recipients.anna} }
    writers: { anna: ${rig.writers.anna} }
`,
  );
  process.env = { ...shell, ...rig.env() };
  await set("API_KEY", "hunter2-api", 0);
  await set("OTHER", "hunter2-pinned", 0);
});
afterEach(async () => {
  process.env = shell;
  await stack.remove();
  await rig[Symbol.asyncDispose]();
});

/** Writes the version after `seen`. */
function set(name: string, value: string, seen: number): Promise<void> {
  return rig.write({ environment: "dev", app: "shop", name }, value, seen);
}

function released(): unknown {
  return agent.part("shop", "release")?.input;
}

/** All that a run tells, besides what it does on the host. */
async function told(run: (tell: (each: unknown) => void) => Promise<StackResult>): Promise<string> {
  const parts: unknown[] = [];
  parts.push(await run((each) => parts.push(each)));
  return JSON.stringify(parts);
}

test("a deploy takes its secrets from the store: they reach the host, and stay out of state, history and events", async () => {
  await set("OTHER", "hunter2-newer", 1);
  const events = await told((tell) =>
    stack.up(environment, {
      onEvent: tell,
      onProviderEvent: (_, event) => {
        tell(event);
      },
    }),
  );
  expect(released()).toMatchObject({
    spec: {
      services: { web: { environment: { API_URL: "https://api.example/?key=hunter2-api", PINNED: "hunter2-pinned" } } },
    },
    redact: expect.arrayContaining(["hunter2-api", "hunter2-pinned"]) as unknown,
    secrets: { API_KEY: "hunter2-api", PINNED: "hunter2-pinned" },
  });
  const files = (await stack.allState()) + (await stack.configText());
  expect(files).toContain("ikoma:vps:Release");
  for (const text of [files, events, await rig.dump()]) expect(text).not.toContain("hunter2");
  await expect(stack.preview(environment)).resolves.toMatchObject({ changes: { same: 4 } });
});

test("a new version of one is a change of the release, a new one of what is pinned is none", async () => {
  await stack.up(environment);
  await set("OTHER", "hunter2-newer", 1);
  await expect(stack.preview(environment)).resolves.toMatchObject({ changes: { same: 4 } });
  await set("API_KEY", "hunter2-renewed", 1);
  await expect(stack.preview(environment)).resolves.toMatchObject({
    changes: { update: 1, same: 3 },
    plan: expect.arrayContaining([
      expect.objectContaining({ type: "ikoma:vps:Release", operation: "update" }),
    ]) as unknown,
  });
});

test("without the store nothing is planned, except a way back to secrets that the host keeps", async () => {
  await stack.up(environment);
  process.env["IKOMA_STORE_URL"] = awayUrl;
  await expect(stack.preview(environment)).rejects.toMatchObject({
    code: "STORE_UNREACHABLE",
    message: expect.not.stringContaining("s3cret") as unknown,
    hint: expect.stringContaining("ikoma deploy rollback --with-secrets") as unknown,
  });
  const kept = "secretsOf: { deployment: 1, names: [API_KEY, PINNED] }";
  await stack.changeConfig((text) => text.replace("      host: vps1", `      host: vps1\n      ${kept}`));
  await expect(stack.preview(environment)).resolves.toMatchObject({ changes: { update: 1, same: 3 } });
  // What copies of backups need is needed as it is now.
  const storage = `{ endpoint: https://s3.example, bucket: b, accessKeyId: a, secret: PINNED, recipient: ${rig.recipients.anna} }`;
  await stack.changeConfig((text) => text.replace(kept, `${kept}\n      backup: { offsite: ${storage} }`));
  await expect(stack.preview(environment)).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
});

/** The same app a second time, as `blog`: with a database, and with secrets that only OF_BLOG says. */
async function addBlog(): Promise<void> {
  const ofBlog = { ...manifest, app: "blog", migrations: { files: [migration] } };
  const bundle = await writeBundleFile(ofBlog, join(stack.workDir, "blog.bundle.json"));
  const app = `{ host: vps1, bundle: "${bundle}", protectAccessories: false, domains: [blog.example], database: {} }`;
  const secrets = ["API_KEY", "PINNED", "DATABASE_URL"].map((name) => `${name}: { env: OF_BLOG }`).join(", ");
  await stack.changeConfig((text) =>
    text
      .replace("  ikoma:secrets:\n", `    blog: ${app}\n  ikoma:secrets:\n`)
      .replace("  ikoma:store:\n", `    blog: { ${secrets} }\n  ikoma:store:\n`),
  );
}

test("a run for one app of several asks for nothing of the others, and alters nothing of them", async () => {
  await addBlog();
  process.env["OF_BLOG"] = "postgresql://blog:hunter2-blog@db.example/blog";
  await stack.up(environment);
  delete process.env["OF_BLOG"];
  await expect(stack.preview(environment)).rejects.toMatchObject({ code: "CONFIG_MISSING" });

  await set("API_KEY", "hunter2-for-one", 1);
  const blogBefore = structuredClone(agent.part("blog", "release"));
  const startedBefore = agent.started.length;
  await stack.up(() => environment({ onlyApp: "shop" }), { env: { ...stack.env, ...targeted("shop") } });
  expect(released()).toMatchObject({ secrets: { API_KEY: "hunter2-for-one" } });
  expect(agent.part("blog", "release")).toEqual(blogBefore);
  const started = agent.started.slice(startedBefore);
  expect(started.map(({ kind }) => kind)).toEqual(["release.apply"]);
  expect(JSON.stringify(started)).not.toContain("blog");
  process.env["OF_BLOG"] = "postgresql://blog:hunter2-blog@db.example/blog";
  await expect(stack.preview(environment)).resolves.toMatchObject({ changes: { create: 0, update: 0, delete: 0 } });
});

test("an offline plan, whose settings anybody may have written, does not ask the store", async () => {
  // Asked, it would be unreachable.
  process.env["IKOMA_STORE_URL"] = awayUrl;
  process.env["IKOMA_OFFLINE"] = "true";
  await expect(stack.preview(environment)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringMatching(/: the store is not asked for an offline plan\.$/) as unknown,
  });
});

test("settings that say nothing of the store are told so", async () => {
  await stack.changeConfig((text) => text.slice(0, text.indexOf("  ikoma:store:")));
  await expect(stack.preview(environment)).rejects.toMatchObject({
    code: "CONFIG_MISSING",
    message: "ikoma:secrets.shop.API_KEY is from the secret store, and `ikoma:store` is not set.",
  });
});
