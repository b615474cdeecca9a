import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { dockerCredentials } from "./credentials.ts";

const before = { DOCKER_CONFIG: process.env.DOCKER_CONFIG, PATH: process.env.PATH };
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-docker-"));
  process.env.DOCKER_CONFIG = folder;
  process.env.PATH = [folder, before.PATH].join(delimiter);
});

afterEach(async () => {
  if (before.DOCKER_CONFIG === undefined) delete process.env.DOCKER_CONFIG;
  else process.env.DOCKER_CONFIG = before.DOCKER_CONFIG;
  process.env.PATH = before.PATH;
  await rm(folder, { recursive: true });
});

const config = (value: unknown): Promise<void> => writeFile(join(folder, "config.json"), JSON.stringify(value));
const auth = (text: string): string => Buffer.from(text).toString("base64");

async function helper(name: string, script: string): Promise<void> {
  const file = join(folder, `docker-credential-${name}`);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
}

test("without a file nobody is logged in", async () => {
  await expect(dockerCredentials("reg.example")).resolves.toBeUndefined();
});

test("a login of the file is found under the registry's name", async () => {
  await config({
    auths: { "reg.example:5000": { auth: auth("ada:pass:word") }, "other.example": { auth: auth("b:c") } },
  });
  await expect(dockerCredentials("reg.example:5000")).resolves.toEqual({ username: "ada", password: "pass:word" });
  await expect(dockerCredentials("reg.example")).resolves.toBeUndefined();
});

test("Docker Hub's login is under the address of its first API, and a token goes before a password", async () => {
  await config({ auths: { "https://index.docker.io/v1/": { auth: auth("a:"), identitytoken: "id" } } });
  await expect(dockerCredentials("docker.io")).resolves.toEqual({ identityToken: "id" });
});

test("a helper is asked for its registry by name", async () => {
  await helper("mine", `read key; [ "$1 $key" = "get reg.example" ] && printf '{"Username":"ada","Secret":"s3"}'`);
  await config({ credHelpers: { "reg.example": "mine" } });
  await expect(dockerCredentials("reg.example")).resolves.toEqual({ username: "ada", password: "s3" });
});

test("a store that gives an identity token, or has none for a registry", async () => {
  await helper(
    "store",
    `read key; case $key in reg*) printf '{"Username":"<token>","Secret":"id"}';; *) echo "credentials not found in native keychain"; exit 1;; esac`,
  );
  await config({ credsStore: "store", auths: { "other.example": { auth: auth("a:b") } } });
  await expect(dockerCredentials("reg.example")).resolves.toEqual({ identityToken: "id" });
  await expect(dockerCredentials("other.example")).resolves.toEqual({ username: "a", password: "b" });
});

test("a helper that fails or is missing is named, its output is not shown", async () => {
  await helper("broken", "echo s3cret; exit 3");
  await config({ credHelpers: { "a.example": "broken", "b.example": "nowhere" } });
  const failure = await dockerCredentials("a.example").catch((thrown: unknown) => String(thrown));
  expect(failure).toContain("docker-credential-broken failed");
  expect(failure).not.toContain("s3cret");
  await expect(dockerCredentials("b.example")).rejects.toMatchObject({ code: "REGISTRY_AUTH" });
});

test("a damaged file is named, its content is not shown", async () => {
  await writeFile(join(folder, "config.json"), '{"auths": s3cret');
  const failure = await dockerCredentials("a.example").catch((thrown: unknown) => String(thrown));
  expect(failure).toContain(join(folder, "config.json"));
  expect(failure).not.toContain("s3cret");
});
