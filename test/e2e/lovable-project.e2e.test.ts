import process from "node:process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { pushToRegistry } from "../lab/index.ts";
import { runChecked } from "../lab/run-command.ts";
import { waitUntil } from "../lab/wait-until.ts";
import { oldBackend, packageJson, spaTree, startTree, writeTree, type ProjectTree } from "../rigs/lovable-project.ts";
import { startDeployLab } from "./project/index.ts";
import { checkout } from "./fixture/build.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";
import type { EndedCommand } from "./project/running-command.ts";

/** Where a network has a mirror or certificates of its own, the install needs them. */
const network = Object.entries({ npmrc: join(homedir(), ".npmrc"), "ca-cert": "/etc/ssl/certs/ca-certificates.crt" })
  .filter(([, path]) => existsSync(path))
  .flatMap(([name, path]) => [`--${name}`, path]);
const prefix = `ikoma-e2e/lovable-${process.pid}`;

/** What the example's server reads. Of its database only its pages want to know. */
const settings = {
  env: { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none", SHOP_BREAK: "" },
  health: { path: "/api/version" },
};

/** Docker's plugins are where its configuration is. */
const shellVariables = { DOCKER_CONFIG: process.env.DOCKER_CONFIG ?? join(homedir(), ".docker") };

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;

beforeAll(async () => {
  lab = await startDeployLab("lovable");
  ({ project, app } = await lab.addProject({ name: "lovely", compose: "", settings, shellVariables }));
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  const made = await runChecked("docker", ["image", "ls", "--quiet", `${prefix}-*`]);
  for (const id of new Set(made.split("\n").filter(Boolean)))
    await runChecked("docker", ["image", "rm", "--force", id]);
});

/** Makes a folder of these files and builds its image there. */
async function build(name: string, tree: ProjectTree, ...more: string[]): Promise<EndedCommand & { tag: string }> {
  const folder = await mkdtemp(join(tmpdir(), "ikoma-lovable-"));
  try {
    await writeTree(folder, tree);
    const tag = `${prefix}-${name}:v1`;
    return { ...(await project.ikoma("project", "build", "--cwd", folder, "--tag", tag, ...network, ...more)), tag };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What a stranger's image did: its answers, and the exit code that it ended with when it was asked to stop. */
interface Tried {
  readonly answers: ReadonlyMap<string, Response>;
  readonly user: string;
  readonly exitCode: number;
}

/** Runs an image until it has answered these paths, then stops it. */
async function tryImage(tag: string, port: number, paths: readonly string[]): Promise<Tried> {
  const id = (await runChecked("docker", ["run", "--detach", "--publish", `127.0.0.1::${port}`, tag])).trim();
  try {
    const address = (await runChecked("docker", ["port", id, String(port)])).trim();
    const get = (path: string): Promise<Response> => fetch(`http://${address}${path}`);
    await waitUntil(`${tag} answers`, () => get("/"));
    const answers = new Map(await Promise.all(paths.map(async (path) => [path, await get(path)] as const)));
    const user = (await runChecked("docker", ["exec", id, "id", "-u"])).trim();
    await runChecked("docker", ["stop", id]);
    const exitCode = Number(await runChecked("docker", ["inspect", "--format", "{{.State.ExitCode}}", id]));
    return { answers, user, exitCode };
  } finally {
    await runChecked("docker", ["rm", "--force", id]);
  }
}

/** The packages are empty, and the script writes what a build of this form leaves. */
function standIn(name: string, packages: readonly string[], script: string): ProjectTree {
  const dependencies = Object.fromEntries(packages.map((each) => [each, `file:./packages/${each}`]));
  const manifests = packages.map(
    (each) => [`packages/${each}/package.json`, `{"name":"${each}","version":"1.0.0"}`] as const,
  );
  const scripts = { build: "node build.mjs" };
  return {
    "package.json": packageJson(name, dependencies, { scripts }),
    "build.mjs": `import { mkdirSync, writeFileSync } from "node:fs";\n${script}`,
    ...Object.fromEntries<string>(manifests),
  };
}

test("a clone of generation 2 without a Dockerfile or compose file is built, bundled and deployed", async () => {
  const own = new Set(["Dockerfile", "compose.yaml", ".dockerignore", "node_modules"]);
  await rm(join(project.folder, "compose.yaml"));
  for (const name of await readdir(join(checkout, "examples/lovable-shop"))) {
    if (own.has(name)) continue;
    await cp(join(checkout, "examples/lovable-shop", name), join(project.folder, name), { recursive: true });
  }
  // The one that the project has is kept to as well.
  await writeTree(project.folder, { ".dockerignore": "state\n" });
  const before = await readdir(project.folder);
  const tag = `${prefix}-shop:v1`;
  const built = await project.ikoma("project", "build", "--tag", tag, "--json", ...network);
  expect(built).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`"kind":"ImageBuilt","data":{"reference":"${tag}"`),
  });
  const bundle = await project.bundle({ version: "v1", reference: await pushToRegistry(tag, tag) });
  await project.apply("--bundle", bundle);
  // It does without APP_VERSION, so that was not asked for.
  expect(await app.get("/api/version")).toMatchObject({ status: 200, version: "dev" });
  expect(await readdir(project.folder)).toEqual(before);
});

test("generation 1: what talks to another backend is no image; else nginx serves it without rights", async () => {
  const page = `<div id=root></div>`;
  const script = `mkdirSync("dist/assets", { recursive: true });
writeFileSync("dist/index.html", "${page}");
writeFileSync("dist/assets/app.js", "https://${oldBackend} " + process.env.VITE_SUPABASE_URL);\n`;
  const tree = {
    ...spaTree,
    ...standIn("vite_react_shadcn_ts", ["vite", "lovable-tagger"], script),
    "package-lock.json": undefined,
  };
  const values = [
    "--value",
    "VITE_SUPABASE_URL=https://api.shop.example",
    "--value",
    "VITE_SUPABASE_PUBLISHABLE_KEY=x",
  ];
  const refused = await build("spa", tree, ...values);
  expect(refused).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining(`the backend ${oldBackend} is in dist/assets/app.js`),
  });

  const { code, tag, stderr } = await build("spa", tree, ...values, "--backend", oldBackend);
  expect(`${code} ${stderr}`).toMatch(/^0 /);
  const { answers, user, exitCode } = await tryImage(tag, 8080, [
    "/",
    "/deep/link",
    "/assets/app.js",
    "/assets/old.js",
  ]);
  expect(await answers.get("/deep/link")?.text()).toBe(page);
  expect(answers.get("/deep/link")?.headers.get("cache-control")).toBe("no-cache");
  expect(await answers.get("/assets/app.js")?.text()).toBe(`https://${oldBackend} https://api.shop.example`);
  expect(answers.get("/assets/app.js")?.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  expect(answers.get("/assets/old.js")?.status).toBe(404);
  expect({ user, exitCode }).toEqual({ user: "10001", exitCode: 0 });
});

test("generation 2 built for Cloudflare gets a server, which has Node's process and stops when asked", async () => {
  const script = `mkdirSync("dist/server", { recursive: true });
mkdirSync("dist/client/assets", { recursive: true });
writeFileSync("dist/client/assets/app.js", "1");
writeFileSync("dist/server/index.js", 'globalThis.process = { env: {}, on() {} };' +
  'export default { fetch: (request, env) => new Response(env.NODE_ENV + process.version) };');\n`;
  const tree = {
    ...startTree,
    ...standIn("tanstack_start_ts", ["@tanstack/react-start", "@lovable.dev/vite-tanstack-config"], script),
    "vite.config.ts": `import { cloudflare } from "@cloudflare/vite-plugin";\n`,
    "bun.lock": undefined,
  };
  const { code, tag, stderr } = await build("worker", tree);
  expect(`${code} ${stderr}`).toMatch(/^0 /);
  const { answers, user, exitCode } = await tryImage(tag, 3000, ["/", "/assets/app.js"]);
  expect(await answers.get("/")?.text()).toMatch(/^productionv\d+/);
  expect(answers.get("/assets/app.js")?.headers.get("cache-control")).toContain("immutable");
  expect({ user, exitCode }).toEqual({ user: "1000", exitCode: 0 });
});
