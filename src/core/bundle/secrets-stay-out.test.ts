import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { IkomaError } from "../errors.ts";
import { createBundle } from "./create-bundle.ts";
import type { CreateBundleOptions } from "./create-bundle.ts";

const image = `registry.example/me/shop@sha256:${"1".repeat(64)}`;
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-secrets-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function file(path: string, content: string): Promise<string> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
  return join(folder, path);
}

/** The bundle of this web service as text, or the error that there is instead. */
async function bundled(
  web: object,
  top: object = {},
  more: Pick<CreateBundleOptions, "includeEnvFiles" | "source"> = {},
): Promise<string | IkomaError> {
  const services = { web: { build: ".", ports: ["3000:3000"], ...web } };
  const compose = await file("compose.yaml", JSON.stringify({ services, ...top }));
  const options = { app: "shop", version: "v1", files: [compose], images: { web: image }, ...more };
  return createBundle(options).then(
    (manifest) => JSON.stringify(manifest),
    (thrown: unknown) => {
      if (thrown instanceof IkomaError) return thrown;
      throw thrown;
    },
  );
}

/** All that a person is shown of an error. */
function shown(error: string | IkomaError): string {
  if (typeof error === "string") throw new Error(`no error: ${error}`);
  return JSON.stringify([error.code, error.message, error.hint, error.details]);
}

test("an env_file that is to be included is refused where it holds what looks like a secret, by name", async () => {
  const path = await file("app.env", "QUEUE=jobs\nSMTP_PASSWORD=hunter2\nCACHE=redis://:hunter3@cache\nDB_PASSWORD\n");
  const refusal = shown(await bundled({ env_file: "app.env" }, {}, { includeEnvFiles: [path] }));
  expect(refusal).toContain("COMPOSE_UNSUPPORTED");
  expect(refusal).toContain("CACHE, SMTP_PASSWORD look like secrets");
  expect(refusal).not.toMatch(/hunter|DB_PASSWORD/);
});

test("the same file, not included, gives its names", async () => {
  await file("app.env", "QUEUE=jobs\nSMTP_PASSWORD=hunter2\n");
  const text = await bundled({ env_file: "app.env" });
  expect(text).toContain("${SMTP_PASSWORD?}");
  expect(text).not.toContain("hunter2");
});

test.each([
  ["a .env", ".env", "./.env:/app/.env:ro", "env_file:"],
  ["a folder with a .env in it", "src/.env.local", "./src:/app", "in .env.local"],
  ["a private key", "tls/key.pem", "./tls:/etc/tls:ro", "Make it a secret"],
])("%s that is mounted does not go into the bundle", async (_, path, volume, reason) => {
  await file(path, "TOKEN=hunter2\n-----BEGIN PRIVATE KEY-----\n");
  const refusal = shown(await bundled({ volumes: [volume] }));
  expect(refusal).toContain(reason);
  expect(refusal).not.toContain("hunter2");
});

test("nor one that is a config; a template does", async () => {
  await file(".env", "TOKEN=hunter2\n");
  const configs = { settings: { file: ".env" } };
  const refusal = shown(await bundled({ configs: [{ source: "settings", target: "/app/.env" }] }, { configs }));
  expect(refusal).toContain("configs.settings.file");
  expect(refusal).not.toContain("hunter2");
  await file(".env.example", "TOKEN=change-me\n");
  expect(await bundled({ volumes: ["./.env.example:/app/.env.example:ro"] })).toContain("change-me");
});

const includesDatabase = { include: ["sub/compose.yaml"] };
const database = 'services: { db: { image: "IMAGE", environment: [DB_PASSWORD, LEVEL=info] } }'.replace("IMAGE", image);

test("what compose would take from an included project's .env is refused; without one it is a variable", async () => {
  await file("sub/compose.yaml", database);
  expect(await bundled({}, includesDatabase)).toContain('"DB_PASSWORD":"${DB_PASSWORD}"');
  const path = await file("sub/.env", "DB_PASSWORD=hunter2\n");
  const refusal = shown(await bundled({}, includesDatabase));
  expect(refusal).toContain(`DB_PASSWORD from ${path}`);
  expect(refusal).not.toContain("hunter2");
  const safely = { include: [{ path: "sub/compose.yaml", env_file: "/dev/null" }] };
  expect(await bundled({}, safely)).toContain('"DB_PASSWORD":"${DB_PASSWORD}"');
  await file("sub/.env", "OTHER=hunter2\n");
  expect(await bundled({}, includesDatabase)).not.toContain("hunter2");
});

test("a line of it that compose does not understand is not quoted", async () => {
  await file("sub/compose.yaml", database);
  await file("sub/.env", "A=hunter2\nB-+ hunter3\n");
  const refusal = shown(await bundled({}, includesDatabase));
  expect(refusal).toContain("line 2 is not understood");
  expect(refusal).not.toContain("hunter");
});

test("neither the builder's environment nor a .env beside the file is in it", async () => {
  await file(".env", "FROM_FILE=hunter2\nFROM_BOTH=hunter2\n");
  Object.assign(process.env, { FROM_BUILDER: "hunter3", FROM_BOTH: "hunter3" });
  const environment = ["FROM_FILE", "FROM_BUILDER", "FROM_BOTH", "URL=x${FROM_FILE}${FROM_BUILDER}"];
  const build = { context: ".", args: ["FROM_BUILDER", "FROM_FILE=${FROM_FILE}"], secrets: ["token"] };
  const secrets = { token: { environment: "FROM_BUILDER" } };
  const text = await bundled({ environment, build }, { secrets });
  expect(text).toContain("${FROM_BUILDER}");
  expect(text).not.toContain("hunter");
});

test.each([
  ["https://x-access-token:hunter2@github.com/me/shop.git", "https://github.com/me/shop.git"],
  ["https://hunter2@github.com/me/shop", "https://github.com/me/shop"],
  ["git@github.com:me/shop.git", "git@github.com:me/shop.git"],
])("the repository %s is noted down as %s", async (repository, noted) => {
  const text = await bundled({}, {}, { source: { repository } });
  expect(text).toContain(`"repository":"${noted}"`);
  expect(text).not.toContain("hunter");
});
