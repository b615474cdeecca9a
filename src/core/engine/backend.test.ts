import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { backendFolder, chosenBackend, removeTornAttributes } from "./backend.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-backend-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test.each([
  ["file://./state", "/project/state"],
  ["file:///var/state?no_tmp_dir=true", "/var/state"],
  ["file://~", homedir()],
  ["file://~/pulumi", join(homedir(), "pulumi")],
])("%s is the folder %s", (backendUrl, expected) => {
  expect(backendFolder({ backendUrl, folder: "/project" })?.replace(/\/$/, "")).toBe(expected);
});

test("the environment goes before the project, and the project before the last login", async () => {
  await writeFile(join(folder, "credentials.json"), JSON.stringify({ current: "s3://logged-in" }));
  const env = { PULUMI_HOME: folder, PULUMI_BACKEND_URL: "" };
  expect(await chosenBackend("s3://project", { ...env, PULUMI_BACKEND_URL: "s3://named" })).toBe("s3://named");
  expect(await chosenBackend("s3://project", env)).toBe("s3://project");
  expect(await chosenBackend(undefined, env)).toBe("s3://logged-in");
  expect(await chosenBackend(undefined, { PULUMI_HOME: join(folder, "none") })).toBeUndefined();
});

test("attributes that were left half written are removed, and nothing else", async () => {
  const stacks = join(folder, "state", ".pulumi", "stacks", "shop");
  await mkdir(stacks, { recursive: true });
  await writeFile(join(folder, "Pulumi.yaml"), "name: shop\nruntime: nodejs\nbackend:\n  url: file://./state\n");
  await writeFile(join(folder, "state", ".pulumi", "meta.yaml.attrs"), "");
  await writeFile(join(stacks, "prod.json"), "");
  await writeFile(join(stacks, "prod.json.attrs"), '{"user.content_type":"te');
  await writeFile(join(stacks, "test.json.attrs"), '{"user.content_type":"text/plain"}');
  await writeFile(join(stacks, "test.json.bak.attrs"), "\0\0\0\0");

  await removeTornAttributes(folder, { PULUMI_BACKEND_URL: "s3://elsewhere" });
  expect(await readdir(stacks)).toHaveLength(4);
  await removeTornAttributes(folder, {});
  expect((await readdir(stacks)).sort()).toEqual(["prod.json", "test.json.attrs"]);
  expect(await readdir(join(folder, "state", ".pulumi"))).toEqual(["stacks"]);
});

test("a project that cannot be read, or has no state yet, is left to the engine", async () => {
  await removeTornAttributes(folder, { PULUMI_HOME: folder });
  await writeFile(join(folder, "Pulumi.yaml"), "a: [");
  await removeTornAttributes(folder, { PULUMI_HOME: folder });
  await writeFile(join(folder, "Pulumi.yaml"), "backend: {url: 'file://./state'}");
  await removeTornAttributes(folder, { PULUMI_HOME: folder });
  expect(await readdir(folder)).toEqual(["Pulumi.yaml"]);
});
