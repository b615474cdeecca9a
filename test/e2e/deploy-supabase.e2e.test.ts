import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startDeployLab } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";
import { supabaseCompose, writeFunction, writeSupabaseFiles } from "./project/supabase-stack.ts";

const registry = "10.77.0.1:5000";

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
let bundle: string;

beforeAll(async () => {
  lab = await startDeployLab("supabase");
  const settings = { env: { SITE_URL: "https://shop.example.com" } };
  ({ project, app } = await lab.addProject({ name: "backend", compose: await supabaseCompose(), settings }));
  await writeSupabaseFiles(project.folder);
  bundle = await bundled("v1");
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

async function bundled(version: string): Promise<string> {
  const what = ["--app", "backend", "--version", version, "--push", `${registry}/backend-bundle`];
  const { code, stdout, stderr } = await project.ikoma("bundle", "create", ...what);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** `ikoma supabase keys`. */
async function made(...more: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await project.ikoma("supabase", "keys", "--json", "--bundle", bundle, ...more);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return (JSON.parse(stdout) as { data: Record<string, unknown> }).data;
}

/** Statements in the database, as its superuser. */
async function query(sql: string): Promise<string> {
  const { stdout } = await lab.host.vps.exec(
    "docker exec -i backend-accessories-db-1 psql -U supabase_admin -d postgres -h 127.0.0.1 -Atq",
    { stdin: sql },
  );
  return stdout.trim();
}

/** Every accessory but the functions, and when it was started. */
async function othersThanFunctions(): Promise<unknown[]> {
  const all = (await app.containers()).filter(({ name }) => name.includes("-accessories-"));
  const others = all.filter(({ name }) => !name.endsWith("-functions-1"));
  return others.map(({ id, name, status, startedAt }) => ({ id, name, status, startedAt }));
}

const inAuth = (command: string): Promise<unknown> =>
  lab.host.vps.exec(`docker exec backend-accessories-auth-1 ${command}`);

test("a secret that everybody knows is refused, and nothing is touched", async () => {
  await project.configure(["env", "DASHBOARD_PASSWORD"], "this_password_is_insecure_and_should_be_updated");
  // The first command of the engine for a stack makes it.
  await project.setSecret("POSTGRES_PASSWORD", "0123456789abcdef0123456789abcdef");
  expect(await made("--settings-from", ".env.example")).toMatchObject({
    secrets: ["JWT_SECRET", "ANON_KEY", "SERVICE_ROLE_KEY"],
    settings: ["POSTGRES_PORT", "SUPABASE_PUBLIC_URL"],
    missing: [],
  });
  expect(await project.applyBadly("--bundle", bundle)).toMatchObject({
    code: "SUPABASE_SETTINGS_UNSAFE",
    message: expect.stringContaining("DASHBOARD_PASSWORD is the sample that everybody knows"),
  });
  expect(await app.containers()).toEqual([]);
});

test("the stack is deployed as it is: every part answers, and the schema belongs to postgres", async () => {
  await project.configure(["env", "DASHBOARD_PASSWORD"], undefined);
  expect(await made()).toMatchObject({ secrets: ["DASHBOARD_PASSWORD"], settings: [] });
  await project.apply("--bundle", bundle);
  expect(await app.get("/storage/v1/status")).toMatchObject({ status: 200 });
  expect(await app.get("/auth/v1/health")).toMatchObject({ status: 401 });
  expect(await app.get("/functions/v1/hello")).toMatchObject({ status: 200, body: "Hello v1" });
  expect(await query("SELECT tableowner FROM pg_tables WHERE tablename = 'orders'")).toBe("postgres");
  expect(await project.resources()).toContainEqual(expect.stringContaining("ikoma:data:Supabase::backend"));
  expect(await project.allState()).not.toMatch(/eyJ[\w-]+\.[\w-]+\.[\w-]+/);
});

test("the same again changes nothing", async () => {
  expect(await project.applyAgain()).toEqual([]);
});

test("a part that runs and does not work is drift", async () => {
  await inAuth("touch /tmp/broken");
  const { differences } = await project.drift();
  expect(differences).toEqual([
    expect.objectContaining({
      path: "settings.parts.auth",
      message: "auth: /auth/v1/health is not answered well through the gateway: status 503",
    }),
  ]);
  await inAuth("rm /tmp/broken");
  expect(await project.drift()).toMatchObject({ state: "clean" });
});

test("a changed function is deployed by an ordinary deploy, and nothing else is restarted", async () => {
  const before = await othersThanFunctions();
  await writeFunction(project.folder, "Hello v2");
  await project.apply("--bundle", await bundled("v2"));
  expect(await app.get("/functions/v1/hello")).toMatchObject({ status: 200, body: "Hello v2" });
  expect(before.length).toBeGreaterThan(3);
  expect(await othersThanFunctions()).toEqual(before);
});
