import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeBundleFile } from "../../../bundle/bundle-store.ts";
import { bundleManifest } from "../../../bundle/manifest.ts";
import { readStackSettings } from "../../../project/deploy-stack-file.ts";
import { prepareStack, type PrepareOptions } from "./prepare-stack.ts";

// That the engine encrypts what is made is seen in test/e2e/deploy-supabase.e2e.test.ts.

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-stack-"));
  process.env["XDG_CACHE_HOME"] = join(folder, "cache");
});

afterEach(async () => {
  delete process.env["XDG_CACHE_HOME"];
  await rm(folder, { recursive: true });
});

const stack = { "api-gw": "envoyproxy/envoy", auth: "supabase/gotrue", rest: "postgrest/postgrest" };

async function options(services: Record<string, string>, variables: string[], secrets = ""): Promise<PrepareOptions> {
  const entries = Object.entries(services).map(([name, image]) => {
    return [
      name,
      { kind: "accessory", reason: "", definition: { image: `${image}@sha256:${"a".repeat(64)}` } },
    ] as const;
  });
  const manifest = bundleManifest.parse({
    apiVersion: "ikoma.dev/v1",
    kind: "Bundle",
    app: "backend",
    version: "v1",
    services: Object.fromEntries(entries),
    volumes: {},
    routes: [],
    smoke: [],
    variables: variables.map((name) => ({ name, required: false })),
  });
  const stackFile = join(folder, "Pulumi.prod.yaml");
  await writeFile(stackFile, `config:\n  ikoma:apps:\n    # ours\n    backend: { host: vps1 }\n${secrets}`);
  const project = { folder, name: "backend", stackName: "prod", stackFile, backendUrl: undefined };
  const bundle = await writeBundleFile(manifest, join(folder, "backend.bundle.json"));
  const settings = await readStackSettings(stackFile);
  return { project, settings, app: "backend", bundle, settingsFile: undefined };
}

/** What comes with the stack, for its settings. */
async function exampleFile(): Promise<string> {
  const path = join(folder, ".env.example");
  await writeFile(path, "POSTGRES_PORT=5432\nSITE_URL=http://localhost:3000\n");
  return path;
}

test("settings are taken over from a file, and what nobody can know is named", async () => {
  const wanted = await options(stack, ["POSTGRES_PORT", "SITE_URL"]);
  expect(await prepareStack({ ...wanted, settingsFile: await exampleFile() })).toEqual({
    secrets: [],
    settings: ["POSTGRES_PORT"],
    missing: ["SITE_URL"],
  });
  expect(await readFile(wanted.project.stackFile, "utf8")).toMatch(/# ours\n.*POSTGRES_PORT: "5432"/);
});

test("a key without the secret that has signed it is refused, and nothing is made", async () => {
  const secrets = "  ikoma:secrets:\n    backend: { ANON_KEY: eyJ }\n";
  const wanted = await options(stack, ["JWT_SECRET", "ANON_KEY", "POSTGRES_PORT"], secrets);
  const before = await readFile(wanted.project.stackFile, "utf8");
  await expect(prepareStack({ ...wanted, settingsFile: await exampleFile() })).rejects.toMatchObject({
    code: "CONFIG_MISSING",
    message: expect.stringContaining("JWT_SECRET, which has signed it, is not") as string,
  });
  expect(await readFile(wanted.project.stackFile, "utf8")).toBe(before);
});

test("the secrets of an app that has none yet, or of another one, are no matter", async () => {
  const none = "  ikoma:secrets:\n    other: { secure: AAAB }\n    backend:\n";
  await expect(prepareStack(await options(stack, ["POSTGRES_PORT"], none))).resolves.toMatchObject({ secrets: [] });
});

test.each([
  ["all of them encrypted as one", "{ secure: AAAB }", "in ikoma:secrets."],
  ["those of the app encrypted as one", "{ backend: { secure: AAAB } }", "in ikoma:secrets.backend."],
  ["a text", "'{}'", "in ikoma:secrets."],
  ["a list", "{ backend: [JWT_SECRET] }", "in ikoma:secrets.backend."],
])("where it cannot be seen which secrets are there (%s), none is made", async (_, secrets, where) => {
  const wanted = await options(stack, ["JWT_SECRET"], `  ikoma:secrets: ${secrets}\n`);
  await expect(prepareStack(wanted)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringContaining(where) as string,
  });
});

test("a JWT_SECRET of the secret store is not looked for, and said where it would have to sign", async () => {
  const variables = ["JWT_SECRET", "ANON_KEY", "SERVICE_ROLE_KEY"];
  const keys = "ANON_KEY: eyJ, SERVICE_ROLE_KEY: eyJ";
  const all = await options(
    stack,
    variables,
    `  ikoma:secrets: { backend: { JWT_SECRET: { store: true }, ${keys} } }\n`,
  );
  await expect(prepareStack(all)).resolves.toEqual({ secrets: [], settings: [], missing: [] });
  const alone = await options(stack, variables, "  ikoma:secrets: { backend: { JWT_SECRET: { store: true } } }\n");
  await expect(prepareStack(alone)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    hint: expect.stringContaining("ANON_KEY and SERVICE_ROLE_KEY") as string,
  });
});

test("the bundle that the stack pins is found from the project's folder", async () => {
  const { settings, ...wanted } = await options(stack, []);
  const apps = { backend: { ...settings.apps["backend"], bundle: "./backend.bundle.json" } } as typeof settings.apps;
  const pinned = { ...wanted, settings: { apps }, bundle: undefined };
  await expect(prepareStack(pinned)).resolves.toMatchObject({ missing: [] });
});

test("another app than such a stack is refused, and so is a stack without a bundle", async () => {
  const other = await options({ web: "registry.example/shop" }, []);
  await expect(prepareStack(other)).rejects.toMatchObject({ code: "USAGE" });
  await expect(prepareStack({ ...other, bundle: undefined })).rejects.toMatchObject({ code: "CONFIG_MISSING" });
});
