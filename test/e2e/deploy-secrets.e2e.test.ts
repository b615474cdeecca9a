import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { toIkomaError } from "../../src/core/errors.ts";
import { loginToRegistry } from "../../src/core/hosts/host-registry-login.ts";
import { registryFolder } from "../lab/lab-folders.ts";
import { registryAddress } from "../lab/registry-address.ts";
import { runCommand } from "../lab/run-command.ts";
import {
  allowed,
  canaries,
  compose,
  distinct,
  inspectContainers,
  sightingsIn,
  sightingsInBlobs,
  sightingsInFiles,
  startRegistryDoor,
  watchProcesses,
} from "./canaries/index.ts";
import type { RegistryDoor, Shell, Sighting } from "./canaries/index.ts";
import { pushTinyWeb, until, type TinyWebImage } from "./fixture/index.ts";
import { LocalPostgres } from "../rigs/postgres.ts";
import { SecretStoreRig } from "../rigs/secret-store.ts";
import { startDeployLab } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

const all = Object.values(canaries);
const { stack, part, file, renewed, builder, dotEnv, envFile, registry, stored } = canaries;

let lab: DeployLab;
let door: RegistryDoor;
let database: LocalPostgres;
let store: SecretStoreRig;
let project: AppProject;
let app: AppOnServer;
let builderFolder: string;
let startedMs: number;
const images = new Map<string, TinyWebImage>();
const seen: Sighting[] = [];
const commandLines = new Set<string>();

beforeAll(async () => {
  lab = await startDeployLab("secrets");
  startedMs = Date.now();
  door = await startRegistryDoor("shop", registry.value);
  await trustDoor();
  const versions = { v1: {}, v2: {}, leaky: { CRASH_AT_START_CODE: "1" } };
  for (const [version, switches] of Object.entries(versions)) {
    const { reference } = await pushTinyWeb(version, switches);
    images.set(version, { version, reference: reference.replace(registryAddress, door.address) });
  }
  const settings = { env: { FILE_TOKEN: "set-for-prod" } };
  database = await LocalPostgres.start();
  store = await SecretStoreRig.create(database);
  const shellVariables = { BUILD_TOKEN: builder.value, ...store.env() };
  ({ project, app } = await lab.addProject({ name: "vault", compose, settings, shellVariables }));
  builderFolder = dirname(project.folder);
  await writeFile(join(project.folder, ".env"), `DOT_TOKEN=${dotEnv.value}\nAPI_TOKEN=${dotEnv.value}\n`);
  await writeFile(join(project.folder, "app.env"), `FILE_TOKEN=${envFile.value}\n`);
  await project.setSecret("API_TOKEN", stack.value);
  await project.setSecret("DB_PASSWORD", part.value);
  await project.setSecret("KEY_FILE", file.value);
  await storeSecret("STORED_TOKEN", stored.value);
}, 300_000);

/** As the guide has it: somebody who may write, somebody who may read, a value, and that the app takes it from there. */
async function storeSecret(name: string, value: string): Promise<void> {
  const [key, valueFile] = [store.keyFile("anna"), join(store.folder, "value")];
  await toldWell("secrets", "writers", "add", "anna", `${key}.pub`);
  await toldWell("secrets", "recipients", "add", "anna", store.recipients.anna);
  await writeFile(valueFile, value);
  const set = await watched(project.shell(`ikoma secrets set vault ${name} --sign-key ${key} <${valueFile}`));
  if (set.code !== 0) throw new Error(set.stderr);
  seen.push(...sightingsIn("output of ikoma secrets set", set.stdout + set.stderr, all));
  await project.pulumiWell("config", "set", "--path", `ikoma:secrets.vault.${name}.store`, "true");
}

/** Without TLS, as the server's engine trusts the lab's registry. */
async function trustDoor(): Promise<void> {
  const { vps } = lab.host;
  await vps.exec(`sed -i 's|"insecure-registries": \\[|&"${door.address}",|' /etc/docker/daemon.json
    kill -HUP "$(cat /var/run/docker.pid)"`);
  const isTrusted = async () => (await vps.exec("docker info")).stdout.includes(door.address);
  await until("the server's engine trusts the registry behind the door", isTrusted);
}

afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  await door[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

/** Looks at all processes while the work goes on. */
async function watched<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  const ended = work.finally(() => (isOver = true));
  const processes = await watchProcesses(() => isOver, all);
  seen.push(...processes.sightings);
  for (const line of processes.commandLines) commandLines.add(line);
  return ended;
}

/** Runs a command and notes what it tells. */
async function look(args: readonly string[]): Promise<{ code: number | undefined; text: string }> {
  const { code, stdout, stderr } = await project.ikoma(...args);
  const text = stdout + stderr;
  expect(text).not.toBe("");
  seen.push(...sightingsIn(`output of ikoma ${args.join(" ")}`, text, all));
  return { code, text };
}

function told(...args: readonly string[]): Promise<{ code: number | undefined; text: string }> {
  return watched(look(args));
}

async function toldWell(...args: readonly string[]): Promise<string> {
  const { code, text } = await told(...args);
  if (code !== 0) throw new Error(`ikoma ${args.join(" ")}: exit code ${code ?? "none"}\n${text}`);
  return text;
}

function bundleArguments(version: string): string[] {
  const image = `web=${images.get(version)?.reference ?? ""}`;
  const where = ["--push", `${door.address}/vault-bundle`, "--plain-http", "--output", `${version}.bundle.json`];
  return ["bundle", "create", "--app", "vault", "--version", version, "--image", image, ...where];
}

async function bundleOf(version: string): Promise<string> {
  return (await toldWell(...bundleArguments(version))).trim().split("\n").at(-1) ?? "";
}

const onBuilder: Shell = (line, options) => runCommand("bash", ["-c", line], options);
const onServer: Shell = (line, options) => lab.host.vps.exec(line, options);

/** All that is at rest: what the builder and the registry have on disk, the whole server's disk, its containers. */
async function searchEverywhere(): Promise<Sighting[]> {
  const containers = await inspectContainers(lab.host.vps, all);
  // Layers of images are the registry's blobs; what a container wrote is beside them.
  const skip = ["proc", "sys", "dev", "overlay2"];
  const found = await Promise.all([
    sightingsInFiles(onBuilder, { paths: [builderFolder, registryFolder] }, all),
    sightingsInBlobs(onBuilder, { folder: registryFolder, sinceMs: startedMs }, all),
    sightingsInFiles(onServer, { paths: ["/"], skip }, all),
    sightingsInFiles(onServer, { paths: containers.layers }, all),
  ]);
  return [
    ...containers.sightings,
    ...found.flat().map(({ canary, where }) => ({ canary, where: containers.named(where) })),
  ];
}

test("a leak is found wherever it is, whatever was done to it", async () => {
  const { vps } = lab.host;
  const blobs = join(registryFolder, "storage/leak");
  const temporary = join(builderFolder, "home/tmp/leak");
  await mkdir(blobs);
  await writeFile(join(blobs, "layer"), gzipSync(`config=${encodeURIComponent(stack.value)}`));
  await writeFile(temporary, JSON.stringify({ value: stack.value }));
  const basic = Buffer.from(`user:${part.value}`).toString("base64");
  await vps.exec("cat >/var/lib/ikoma/agent/leak", { stdin: `Authorization: Basic ${basic}` });
  await vps.exec(`docker create --name leak --env COPY=${renewed.value} postgres:15`);
  const found = distinct(await searchEverywhere());
  expect(found).toEqual(
    expect.arrayContaining([
      { canary: stack.name, where: `file ${join(blobs, "layer")}` },
      { canary: stack.name, where: `file ${temporary}` },
      { canary: part.name, where: "file /var/lib/ikoma/agent/leak" },
      { canary: renewed.name, where: "Config.Env of the container leak" },
    ]),
  );
  await Promise.all([rm(blobs, { recursive: true }), rm(temporary)]);
  await vps.exec("rm /var/lib/ikoma/agent/leak; docker rm leak");

  const argument = runCommand("sh", ["-c", "sleep 3", "sh", file.value]);
  let isOver = false;
  void argument.finally(() => (isOver = true));
  const { sightings } = await watchProcesses(() => isOver, all);
  expect(sightings).toContainEqual({ canary: file.name, where: "arguments of a process of the builder" });
});

test("a wrong password of the registry is in no error, on the builder or on the host", async () => {
  await project.logIn(door.address, "shop", `${registry.value}-wrong`);
  const refused = await told(...bundleArguments("v1"), "--json");
  expect(refused).toMatchObject({
    code: expect.any(Number) as unknown,
    text: expect.stringContaining("REGISTRY_AUTH"),
  });
  const connection = await lab.host.connection();
  const login = { registry: door.address, user: "shop", password: `${registry.value}-wrong` };
  const error = await watched(loginToRegistry(connection, "", login).catch((thrown: unknown) => toIkomaError(thrown)));
  expect(error).toMatchObject({ code: "REGISTRY_AUTH" });
  seen.push(...sightingsIn("error of a registry login", JSON.stringify([error, String(error)]), all));
});

test("the container gets the secrets to the letter, by an image and a bundle that need a login", async () => {
  await project.logIn(door.address, "shop", registry.value);
  const login = { registry: door.address, user: "shop", password: registry.value };
  expect(await watched(loginToRegistry(await lab.host.connection(), "", login))).toBe(true);
  const bundle = await bundleOf("v1");
  const entered = door.entered;
  await toldWell("deploy", "apply", "--yes", "--json", "--bundle", bundle);
  expect(door.entered).toBeGreaterThan(entered);
  expect(await app.versions()).toEqual(["v1"]);
  expect(await app.variable("API_TOKEN")).toBe(stack.value);
  expect(await app.variable("DATABASE")).toBe(`host=db user=shop password=${part.value}`);
  expect(await app.variable("FILE_TOKEN")).toBe("set-for-prod");
  expect(await app.variable("STORED_TOKEN")).toBe(stored.value);
});

test("a release that prints them and crashes does not bring them into the error", async () => {
  const bundle = await bundleOf("leaky");
  for (const more of [[], ["--json"]]) {
    const { code, text } = await told("deploy", "apply", "--yes", "--redeploy", "--bundle", bundle, ...more);
    expect(code).toBe(10);
    for (const said of ["API_TOKEN=[secret]", "the password is [secret]"]) expect(text).toContain(said);
    expect(text).toMatch(/authorization: Basic .{0,8}\[secret\]/);
  }
});

test("a rollback keeps the current value of a secret", async () => {
  await toldWell("deploy", "apply", "--yes", "--bundle", await bundleOf("v2"));
  await project.setSecret("API_TOKEN", renewed.value);
  await toldWell("deploy", "rollback", "--yes");
  expect(await app.versions()).toEqual(["v1"]);
  expect(await app.variable("API_TOKEN")).toBe(renewed.value);
});

test("with --with-secrets it brings back the value that the deployment had, and says so by name", async () => {
  const text = await toldWell("deploy", "rollback", "--yes", "--with-secrets", "--to", "#1");
  expect(text).toContain(
    "secrets: as of #1: API_TOKEN (another value serves now); DB_PASSWORD, KEY_FILE, STORED_TOKEN (as now)",
  );
  expect(await app.versions()).toEqual(["v1"]);
  expect(await app.variable("API_TOKEN")).toBe(stack.value);
  expect(await project.setting("secretsOf")).toEqual({
    deployment: 1,
    names: ["API_TOKEN", "DB_PASSWORD", "KEY_FILE", "STORED_TOKEN"],
  });
});

test("after that nothing drifts, nothing is to be done, and the plan says where the secrets are from", async () => {
  expect(await project.drift()).toMatchObject({ state: "clean", exitCode: 0 });
  const plan = await toldWell("deploy", "plan");
  expect(plan).toContain("The secrets of vault are those of #1");
  expect(plan).toContain("Nothing changes.");
  seen.push(...(await searchEverywhere()));
});

test("what only looks prints none of them, for people or for programs", async () => {
  const commands = [
    ["deploy", "history"],
    ["deploy", "status"],
    ["status"],
    ["status", "--live"],
    ["config", "explain"],
    ["secrets", "list"],
    ["secrets", "history", "vault", "STORED_TOKEN"],
  ];
  const more = [
    ["bundle", "inspect", "v1.bundle.json"],
    ["host", "status", "vps1"],
  ];
  const looks = await Promise.all([...commands, ...more].flatMap((args) => [look(args), look([...args, "--json"])]));
  // These take the stack's lock.
  for (const args of [["deploy", "plan", "--json"], ["drift"], ["drift", "--json"]]) looks.push(await look(args));
  expect(looks.filter(({ code }) => code !== 0)).toEqual([]);
  for (const args of [
    ["preview", "--diff"],
    ["stack", "output", "--json"],
    ["stack", "history", "--json"],
  ])
    seen.push(...sightingsIn(`output of pulumi ${args.join(" ")}`, await project.pulumiWell(...args), all));
});

test("a bundle that is deployed then takes the secrets that are set, and the plan says it", async () => {
  const plan = await toldWell("deploy", "plan", "--bundle", "v2.bundle.json");
  expect(plan).toContain("The secrets of vault are what `ikoma:secrets` says, no longer those of #1");
  await toldWell("deploy", "apply", "--yes", "--redeploy", "--bundle", "v2.bundle.json");
  expect(await app.variable("API_TOKEN")).toBe(renewed.value);
  expect(await project.setting("secretsOf")).toBeUndefined();
});

test("each is only where it must be", async () => {
  const programs = ["docker-compose -p vault-", "pulumi up", "bundle create", "docker --config"];
  expect(programs.filter((each) => ![...commandLines].some((line) => line.includes(each)))).toEqual([]);
  await until("the releases before have gone", async () => (await app.containers()).length === 1);
  const { named } = await inspectContainers(lab.host.vps, all);
  // Agent and edge are the same containers to the end: those that have gone were of the app.
  const placed = seen.map(({ canary, where }) => ({
    canary,
    where: named(where).replace(/(?<=^environment .*container )[0-9a-f]{64}$/, "gone"),
  }));
  const inStore = sightingsIn("database of the store", await store.dump(), all);
  const found = distinct([...placed, ...inStore, ...(await searchEverywhere())]);
  const isAllowed = ({ canary, where }: Sighting): boolean =>
    allowed.some(([name, place]) => name === canary && place.test(where));
  expect(found.filter((each) => !isAllowed(each))).toEqual([]);
  const unseen = allowed.filter(
    ([name, place]) => !found.some(({ canary, where }) => name === canary && place.test(where)),
  );
  expect(unseen).toEqual([]);
});
