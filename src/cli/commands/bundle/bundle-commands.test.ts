import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runGroup, type Printed } from "../../../../test/rigs/command-group.ts";
import { startLocalRegistry } from "../../../../test/rigs/registry.ts";
// Jest cannot load modules at the same time that share one; the handlers do, so they are loaded here first.
import "../../../core/bundle/create-bundle.ts";
import "../../output/progress.ts";
import create from "./create.ts";
import inspect from "./inspect.ts";

const digest = `sha256:${"1".repeat(64)}`;
const compose = `
services:
  web:
    build: .
    ports: ["3000:3000"]
    environment: { SECRET: "\${SECRET:?}", COLOR: "\${COLOR:-red}" }
    privileged: true
  queue: { build: . }
  db: { image: "postgres@${digest}" }
x-ikoma: { smoke: [{ path: /ready, contains: ok }] }
`;
let folder = "";
const cacheHome = process.env.XDG_CACHE_HOME;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-cli-"));
  process.env.XDG_CACHE_HOME = join(folder, "cache");
  await writeFile(join(folder, "compose.yaml"), compose);
});

afterEach(async () => {
  jest.restoreAllMocks();
  if (cacheHome === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = cacheHome;
  await rm(folder, { recursive: true });
});

function ikoma(...words: string[]): Promise<Printed> {
  return runGroup("bundle", (group) => group.command(create).command(inspect), words);
}

const images = ["--image", `web=127.0.0.1:1/me/shop@${digest}`, "--image", `queue=127.0.0.1:1/me/queue@${digest}`];
const app = ["--app", "shop", "--version", "v1.2.3"];

test("create prints only the reference on stdout, warnings on stderr, and the file is a bundle", async () => {
  const output = join(folder, "shop.bundle.json");
  const { stdout, stderr } = await ikoma("bundle", "create", "--cwd", folder, ...app, ...images, "--output", output);
  expect(stdout).toMatch(/^\/.*shop\.bundle\.json@sha256:[0-9a-f]{64}\n$/);
  expect(stderr).toContain("services.web.privileged");
  const document = JSON.parse(await readFile(output, "utf8")) as { app: string; version: string };
  expect(document).toMatchObject({ app: "shop", version: "v1.2.3" });
});

test("what create made, inspect shows: kinds with their reasons, routes, checks and variables", async () => {
  const output = join(folder, "shop.bundle.json");
  const created = await ikoma(
    "bundle",
    "create",
    "--file",
    join(folder, "compose.yaml"),
    ...app,
    ...images,
    "-o",
    output,
    "--json",
  );
  const { data } = JSON.parse(created.stdout) as { data: { reference: string; digest: string } };
  const { stdout } = await ikoma("bundle", "inspect", data.reference);
  const short = `@sha256:${"1".repeat(12)}`;
  expect(stdout).toContain("shop v1.2.3\n");
  expect(stdout).toMatch(
    new RegExp(`web +web +127.0.0.1:1/me/shop${short} +built from this repository, and it publishes`),
  );
  expect(stdout).toMatch(/queue +worker /);
  expect(stdout).toMatch(/db +accessory .* image of others \(postgres\)/);
  expect(stdout).toMatch(/\/ +web:3000/);
  expect(stdout).toContain('Smoke check: /ready answers 200-399 with "ok"');
  expect(stdout).toMatch(/SECRET +required/);
  expect(stdout).toMatch(/COLOR +default "red"/);
  const json = JSON.parse((await ikoma("bundle", "inspect", output, "--json")).stdout) as unknown;
  expect(json).toMatchObject({ kind: "Bundle", data: { ...data, services: { queue: { kind: "worker" } } } });
});

test("create pushes to a registry, and inspect reads it by its tag", async () => {
  await using registry = await startLocalRegistry();
  const push = ["--push", `${registry.address}/me/shop-bundle`];
  const { stdout } = await ikoma("bundle", "create", "--cwd", folder, ...app, ...images, ...push);
  expect(stdout).toMatch(new RegExp(`^${registry.address}/me/shop-bundle@sha256:[0-9a-f]{64}\n$`));
  const shown = await ikoma("bundle", "inspect", `${registry.address}/me/shop-bundle:v1.2.3`);
  expect(shown.stdout).toContain(stdout.trim());
});

test("of an option that takes one value the last one counts", async () => {
  const words = ["--cwd", folder, "--app", "other", ...app, ...images, "-o", join(folder, "b.json"), "--json"];
  const { stdout } = await ikoma("bundle", "create", ...words);
  expect(JSON.parse(stdout)).toMatchObject({ data: { app: "shop" } });
});

test.each([
  [["--image", "web"], "write name=value"],
  [["--image", "web=a", "--image", "web=b"], "web is given twice"],
  [["--registry-mirror", "docker.io"], "is not a registry mirror"],
  [["--image", "wbe=a"], "there is no service wbe"],
])("%j is refused", async (words, reason) => {
  await expect(ikoma("bundle", "create", "--cwd", folder, ...app, ...words)).rejects.toThrow(reason);
});
