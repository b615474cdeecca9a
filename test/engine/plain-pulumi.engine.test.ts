import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { parseDocument } from "yaml";
import { writeBundleFile } from "../../src/core/bundle/bundle-store.ts";
import { readStackExports } from "../../src/core/deployer/deploy-exports.ts";
import { stackOutputs } from "../../src/core/deployer/stack-outputs.ts";
import { findDeployProject } from "../../src/core/project/deploy-project.ts";
import { initProject } from "../../src/core/project/project-init.ts";
import type { StackResult } from "../../src/core/engine/engine-run.ts";
import type { Program } from "../../src/core/engine/language-server.ts";
import { runStack } from "../../src/core/engine/run-stack.ts";
import { bridge } from "../../stacks/bridge.ts";
import { environment } from "../../stacks/environment.ts";
import { hosts } from "../../stacks/hosts.ts";
import { fakeHosts } from "../doubles/agent.ts";
import { CommandPlugin } from "../doubles/command-plugin/index.ts";
import { LocalPostgres } from "../rigs/postgres.ts";
import { SecretStoreRig } from "../rigs/secret-store.ts";
import { startSshd } from "../rigs/sshd.ts";
import { appManifest, database, web } from "./app-manifest.ts";
import { FileAgent } from "./file-agent.ts";
import { hostAddress } from "./programs.ts";

const hostKey = "ssh-ed25519 AAAA";
/** Where sshd listens. */
const loopback = "127.0.0.1";
const unchanged = ["preview", "--diff", "--expect-no-changes"];
let root: string;
let folder: string;

/** A new folder, made a project by `ikoma init`, and a folder of commands: all that a clean shell has on its PATH. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "ikoma-plain-"));
  folder = join(root, "shop");
  await mkdir(folder);
  await mkdir(join(root, "state"));
  await initProject(folder, { app: "shop", backendUrl: `file://${root}/state` });
  await mkdir(join(root, "bin"));
  for (const name of ["pulumi", "pulumi-language-nodejs"]) await symlink(await onPath(name), join(root, "bin", name));
  await symlink(process.execPath, join(root, "bin", "node"));
  const plugin = join(import.meta.dirname, "file-agent-plugin.ts");
  const script = `#!/bin/sh\nFILE_AGENT='${root}/agent.json' exec node '${plugin}' "$@"\n`;
  await writeFile(join(root, "bin", "pulumi-resource-ikoma"), script);
  await chmod(join(root, "bin", "pulumi-resource-ikoma"), 0o755);
});

afterEach(() => rm(root, { recursive: true, force: true }));

async function onPath(name: string): Promise<string> {
  for (const each of (process.env["PATH"] ?? "").split(delimiter))
    if (
      await readdir(each).then(
        (names) => names.includes(name),
        () => false,
      )
    )
      return join(each, name);
  throw new Error(`there is no ${name} on PATH`);
}

/** Plain `pulumi` in a shell that has nothing but these commands and the passphrase. */
function pulumi(stack: string, ...args: readonly string[]): Promise<string> {
  return pulumiWith({}, stack, ...args);
}

async function pulumiWith(
  attached: Readonly<Record<string, string>>,
  stack: string,
  ...args: readonly string[]
): Promise<string> {
  const env = { PATH: `${root}/bin:/usr/bin:/bin`, HOME: root, PULUMI_CONFIG_PASSPHRASE: "correct horse", ...attached };
  const more = ["--stack", stack, "--non-interactive", "--color", "never"];
  const run = promisify(execFile)(join(root, "bin/pulumi"), [...args, ...more], { cwd: folder, env });
  const { stdout, stderr } = await run.catch((error: unknown) => {
    const { stdout: said, stderr: failed } = error as { stdout: string; stderr: string };
    throw new Error(`pulumi ${args.join(" ")}:\n${said}${failed}`);
  });
  return stdout + stderr;
}

/** The same stack as the command runs it: in this process. */
async function run(operation: "preview" | "up", stackName: string, program: Program): Promise<StackResult> {
  const startedIn = process.cwd();
  process.chdir(folder);
  try {
    return await runStack({
      workDir: folder,
      env: { PULUMI_CONFIG_PASSPHRASE: "correct horse" },
      stackName,
      operation,
      program: () => Promise.resolve(program),
      access: fakeHosts({ [hostAddress]: agent(), [loopback]: agent() }),
    });
  } finally {
    process.chdir(startedIn);
  }
}

/** The host as it is now. */
function agent(): FileAgent {
  return new FileAgent(join(root, "agent.json"));
}

async function configure(stack: string, settings: Readonly<Record<string, unknown>>): Promise<void> {
  const path = join(folder, `Pulumi.${stack}.yaml`);
  const document = parseDocument(await readFile(path, "utf8").catch(() => ""));
  for (const [key, value] of Object.entries(settings)) document.setIn(["config", ...key.split(".")], value);
  await writeFile(path, document.toString());
}

const manifest = appManifest(
  {
    web: web({ DATABASE_URL: "postgres://app:${DB_PASSWORD}@db/shop", NAME: "${NAME}" }),
    db: database({ POSTGRES_PASSWORD: "${DB_PASSWORD}" }),
  },
  { volumes: { data: { external: false } } },
);

/** The environment prod of the new project, with one app that is not deployed yet. Its bundle lies in the folder. */
async function configureProd(): Promise<void> {
  const file = await writeBundleFile(manifest, join(folder, "v1.bundle.json"));
  await configure("prod", {
    "ikoma:hosts": { vps1: { address: hostAddress, hostKey } },
    "ikoma:apps.shop.bundle": file.replace(`${folder}/`, "./"),
    "ikoma:apps.shop.domains": ["shop.example"],
    "ikoma:apps.shop.protectAccessories": false,
    "ikoma:apps.shop.env": { NAME: "one" },
  });
  await pulumi("prod", "stack", "select", "--create");
  await setSecret("hunter2-first");
}

function setSecret(value: string): Promise<string> {
  return pulumi("prod", "config", "set", "--secret", "--path", "ikoma:secrets.shop.DB_PASSWORD", value);
}

test("preview, up, refresh and destroy by plain pulumi take turns with the command on one state", async () => {
  await configureProd();
  await run("up", "prod", environment);
  expect(await pulumi("prod", ...unchanged)).toMatch(/\d+ unchanged/);
  const generation = agent().part("shop", "release")?.generation;

  // Another key and port: no change for plain pulumi either.
  await configure("prod", { "ikoma:hosts.vps1": { address: hostAddress, hostKey: "ssh-ed25519 BBBB", port: 2222 } });
  await pulumi("prod", ...unchanged);

  await configure("prod", { "ikoma:apps.shop.env": { NAME: "two" } });
  await pulumi("prod", "up", "--yes");
  expect(agent().part("shop", "release")).toMatchObject({
    generation: (generation ?? 0) + 1,
    input: { spec: { services: { web: { environment: { NAME: "two" } } } } },
  });
  expect((await run("up", "prod", environment)).changes).toEqual({ create: 0, update: 0, delete: 0, same: 4 });

  await pulumi("prod", "refresh", "--yes");
  expect((await run("preview", "prod", environment)).changes.same).toBe(4);
  await configure("prod", { "ikoma:apps.shop.env": { NAME: "three" } });
  await run("up", "prod", environment);
  await pulumi("prod", ...unchanged);

  await pulumi("prod", "destroy", "--yes");
  expect([...agent().parts.values()].filter(({ exists }) => exists)).toEqual([]);
  expect((await run("preview", "prod", environment)).changes.create).toBe(4);
}, 120_000);

test("the stack hosts works the same way, and exports its part of the contract", async () => {
  await writeFile(join(folder, "Pulumi.hosts.yaml"), "config: {}\n");
  await configure("hosts", { "ikoma:hosts": { vps1: { address: hostAddress, hostKey } } });
  await pulumi("hosts", "stack", "select", "--create");
  await pulumi("hosts", "up", "--yes");
  const program: Program = hosts;
  expect((await run("up", "hosts", program)).changes).toEqual({ create: 0, update: 0, delete: 0, same: 1 });
  await configure("hosts", { "ikoma:setup": { vps1: { httpPort: 8080 } } });
  expect((await run("up", "hosts", program)).plan).toMatchObject([
    { changes: [{ path: "httpPort", old: 80, new: 8080 }] },
  ]);
  await pulumi("hosts", ...unchanged);
  const outputs = stackOutputs.hosts.parse(JSON.parse(await pulumi("hosts", "stack", "output", "--json")));
  expect(Object.keys(outputs.hosts)).toEqual(["vps1"]);
  await pulumi("hosts", "destroy", "--yes");
}, 120_000);

test("the steps that prepare a host are planned and done by both, each once", async () => {
  const sshd = await startSshd();
  await using plugin = await CommandPlugin.start();
  const attached = { PULUMI_DEBUG_PROVIDERS: plugin.attachment };
  const saved = { ...process.env };
  Object.assign(process.env, attached);
  delete process.env["SSH_AUTH_SOCK"];
  try {
    const prepare = ["one", "two"].map((name) => ({ name, create: `echo ${name} >>${sshd.folder}/trace` }));
    await writeFile(join(folder, "Pulumi.hosts.yaml"), "config: {}\n");
    await configure("hosts", { "ikoma:hosts": { vps1: sshd.host }, "ikoma:setup": { vps1: { prepare } } });
    await pulumi("hosts", "stack", "select", "--create");
    const text = await pulumiWith(attached, "hosts", "preview");
    expect(text).toMatch(/command:remote:Command +vps1\/one +create/);
    await pulumiWith(attached, "hosts", "up", "--yes", "--skip-preview");
    expect(await readFile(join(sshd.folder, "trace"), "utf8")).toBe("one\ntwo\n");
    expect((await run("up", "hosts", hosts)).changes).toEqual({ create: 0, update: 0, delete: 0, same: 3 });
    expect(plugin.runs).toHaveLength(2);
  } finally {
    process.env = saved;
    await sshd.stop();
  }
}, 120_000);

test("a plain preview tells what changes of which service, secrets as such, drift and what cannot be known", async () => {
  await configureProd();
  await run("up", "prod", environment);
  await configure("prod", { "ikoma:apps.shop.env": { NAME: "two" } });
  await setSecret("hunter2-second");
  const text = await pulumi("prod", "preview", "--diff");
  const release = text.slice(text.indexOf("ikoma:vps:Release"));
  expect(release.replaceAll(/\s+/g, " ")).toMatch(
    /~ services ?: \{.*~ web ?: \{.*~ environment ?: \{.*~ DATABASE_URL ?: \[secret\] => \[secret\].*~ NAME ?: "one" => "two"/,
  );
  expect(text.slice(0, text.indexOf("ikoma:vps:Release")).replaceAll(/\s+/g, " ")).toMatch(
    /ikoma:vps:Accessories: \(update\).*~ db ?: \{.*~ POSTGRES_PASSWORD ?: \[secret\] => \[secret\]/,
  );
  expect(text).not.toContain("hunter2");
  expect(text).toMatch(/~ 2 to update/);
  await pulumi("prod", "up", "--yes", "--skip-preview");

  await configure("prod", { "ikoma:offline": true });
  const offline = await pulumi("prod", "preview");
  const diagnostics = offline.slice(offline.indexOf("Diagnostics:"));
  expect(diagnostics.match(/ikoma:vps:\w+ \(shop\):\s+warning: drift unknown: the provider is offline/g)).toHaveLength(
    4,
  );
  await expect(pulumi("prod", "up", "--yes", "--skip-preview")).rejects.toThrow(
    /AGENT_OFFLINE: Offline nothing is changed/,
  );
}, 120_000);

test("plain pulumi takes a secret from the store as the command does", async () => {
  await using server = await LocalPostgres.start();
  await using store = await SecretStoreRig.create(server);
  await store.write({ environment: "prod", app: "shop", name: "DB_PASSWORD" }, "hunter2-stored", 0);
  await configureProd();
  await configure("prod", { "ikoma:secrets": { shop: { DB_PASSWORD: { store: true } } }, "ikoma:store": store.config });
  const text = await pulumiWith(store.env(), "prod", "up", "--yes", "--skip-preview");
  expect(text).not.toContain("hunter2");
  const environmentOfWeb = { DATABASE_URL: "postgres://app:hunter2-stored@db/shop", NAME: "one" };
  expect(agent().part("shop", "release")).toMatchObject({
    input: { spec: { services: { web: { environment: environmentOfWeb } } } },
  });
  await expect(pulumi("prod", "preview")).rejects.toThrow(/CONFIG_MISSING: Nothing says where the secret store is/);
}, 120_000);

test("in the stack bridge plain pulumi and the command deploy the Bridge, to the same state", async () => {
  const routes = [{ path: "/", service: "api", port: 7410 }];
  const api = appManifest({ api: web({}, "2") }, { app: "bridge", routes });
  const file = await writeBundleFile(api, join(folder, "bridge.bundle.json"));
  const certificate = { command: ["echo", "certificate"] };
  await configure("bridge", {
    "ikoma:hosts": { vps1: { address: hostAddress, hostKey } },
    "ikoma:bridge": {
      host: "vps1",
      domain: "bridge.example",
      admins: [`${"a".repeat(10)}:${"0".repeat(64)}`],
      bundle: file.replace(`${folder}/`, "./"),
      env: { DB_PASSWORD: "none", NAME: "bridge" },
    },
    "ikoma:secrets": { bridge: { CERTIFICATE: certificate } },
  });
  await pulumi("bridge", "stack", "init");
  await pulumi("bridge", "up", "--yes", "--skip-preview");
  expect(await run("preview", "bridge", bridge)).toMatchObject({ changes: { same: 3 } });
  const outputs = stackOutputs.bridge.parse(JSON.parse(await pulumi("bridge", "stack", "output", "--json")));
  expect(outputs.bridge).toEqual({ api: "https://bridge.example", host: "vps1" });
}, 120_000);

test("what pulumi stack output prints is the documented contract, and what `ikoma status` reads", async () => {
  await configureProd();
  await run("up", "prod", environment);
  const printed: unknown = JSON.parse(await pulumi("prod", "stack", "output", "--json"));
  expect(stackOutputs.environment.parse(printed).apps["shop"]).toMatchObject({
    number: 1,
    url: "http://shop.example/",
  });
  const project = await findDeployProject(folder, "prod", {});
  expect((await readStackExports(project)).outputs).toEqual(printed);

  const page = await readFile(join(import.meta.dirname, "../../docs/reference/stack-outputs.md"), "utf8");
  const examples = [...page.matchAll(/```json\n([^]*?)```/g)].map(([, json]): unknown => JSON.parse(json ?? ""));
  const schemas = [stackOutputs.environment, stackOutputs.hosts, stackOutputs.bridge];
  expect(schemas.map((schema, index) => schema.safeParse(examples[index]).success)).toEqual([true, true, true]);
}, 120_000);
