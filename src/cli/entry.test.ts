import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadedIn, tellLoads } from "../../test/rigs/loaded-modules.ts";

const entry = join(import.meta.dirname, "entry.ts");
let project: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "ikoma-cli-"));
  const stacks = join(project, ".pulumi", "stacks", "sample");
  await mkdir(stacks, { recursive: true });
  await writeFile(join(project, "Pulumi.yaml"), `name: sample\nruntime: nodejs\nbackend: { url: "file://." }\n`);
  await writeFile(join(project, "Pulumi.prod.yaml"), "config:\n  ikoma:apps: {}\n");
  const outputs = {
    apps: {
      shop: {
        number: 42,
        version: "1.4.0",
        host: "vps1",
        services: { web: { kind: "web", state: "running", healthy: true } },
      },
    },
  };
  const latest = { manifest: { time: "2026-11-23T05:00:00Z" }, resources: [{ type: "pulumi:pulumi:Stack", outputs }] };
  await writeFile(join(stacks, "prod.json"), JSON.stringify({ version: 3, checkpoint: { latest } }));
});
afterAll(async () => {
  await rm(project, { recursive: true });
});

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the real executable, as from a shell without a terminal. */
function ikoma(
  args: readonly string[],
  nodeArgs: readonly string[] = [],
  more: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const env = { ...process.env };
  for (const name of ["IKOMA_STACK", "FORCE_COLOR", "CI"]) delete env[name];
  Object.assign(env, more);
  const child = spawn(process.execPath, [...nodeArgs, entry, ...args], {
    cwd: project,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended: Ended = { code: null, stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (ended.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (ended.stderr += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      resolve({ ...ended, code });
    });
  });
}

/** What a command loads, told by a hook in the process itself. */
async function loadedBy(args: readonly string[]): Promise<string[]> {
  const { code, stderr } = await ikoma(args, [tellLoads]);
  expect(code).toBe(0);
  return loadedIn(stderr);
}

async function packagesOf(args: readonly string[]): Promise<Set<string>> {
  return packagesIn(await loadedBy(args));
}

function packagesIn(urls: readonly string[]): Set<string> {
  return new Set(urls.flatMap((url) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? []));
}

test("--version loads no package at all", async () => {
  expect(await packagesOf(["--version"])).toEqual(new Set());
});

test("status reads the exports without engine, SDK, SSH or gRPC, and without schemas of what it does not read", async () => {
  const loaded = await loadedBy(["status"]);
  expect(loaded.filter((url) => /\/(?:release-spec|schema|engine-process)\.ts$/.test(url))).toEqual([]);
  const packages = packagesIn(loaded);
  expect(packages).toContain("yargs");
  expect([...packages].filter((name) => /^@pulumi|^@grpc|^ssh2$|protobuf|^pg$|^age-/.test(name))).toEqual([]);
});

test("init makes a project of a folder, names it, and tells what comes next", async () => {
  const folder = join(project, "My Shop");
  await mkdir(folder);
  const [refused, done] = [
    await ikoma(["init", "--cwd", folder, "--app", "My Shop"]),
    await ikoma(["init", "--cwd", folder]),
  ];
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("--app") as unknown });
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(done.stdout).toMatch(
    /^written {2}Pulumi\.yaml\n(?:written .*\n){2}linked [^]*next:\n {2}ikoma host trust vps1 ADDRESS -s prod\n/,
  );
  expect(await readFile(join(folder, "Pulumi.yaml"), "utf8")).toMatch(/^name: my-shop\n/);
});

test("init in a project of Lovable's tells the build that needs no Dockerfile", async () => {
  const folder = join(project, "lovable");
  await mkdir(folder);
  const manifest = { name: "vite_react_shadcn_ts", scripts: { build: "vite build" }, devDependencies: { vite: "^7" } };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await writeFile(join(folder, "index.html"), "<div id=root></div>");
  await writeFile(join(folder, "vite.config.ts"), "export default {};\n");
  const { code, stdout } = await ikoma(["init", "--cwd", folder]);
  expect(code).toBe(0);
  expect(stdout).toContain("ikoma project build --push -t REGISTRY/lovable:v1");
  expect(stdout).not.toContain("docker");
});

test.each([
  ["nobody can type its name", []],
  ["--yes alone", ["--yes"]],
  ["another name", ["--confirm", "blog"]],
])("a purge is refused before any host is asked: %s", async (_why, more) => {
  const { code, stdout } = await ikoma(["app", "purge", "shop", "--json", ...more]);
  expect({ code, error: JSON.parse(stdout) as unknown }).toMatchObject({
    code: 2,
    error: { error: { code: "USAGE", hint: expect.stringContaining("--confirm shop") as unknown } },
  });
});

test("a file that the system refuses is no defect of the program", async () => {
  const folder = join(project, "refused");
  await mkdir(join(folder, "Pulumi.prod.yaml"), { recursive: true });
  await writeFile(join(folder, "Pulumi.yaml"), "name: sample\nruntime: nodejs\n");
  const { code, stdout } = await ikoma(["config", "explain", "--cwd", folder, "--json"]);
  expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({
    code: 1,
    error: { code: "FILE_REFUSED", message: expect.stringContaining("EISDIR") as unknown },
  });
});

test("a variable that is there and empty names no stack, and no folder for a cache", async () => {
  const { code } = await ikoma(["status"], [], { IKOMA_STACK: "", XDG_CACHE_HOME: "" });
  expect(code).toBe(0);
  expect(await readdir(project)).not.toContain("ikoma");
});

test("an approval is somebody's word, by the key that the shell's own folder has", async () => {
  const folder = join(project, "approved");
  await mkdir(folder);
  const key = `ssh-ed25519 ${"A".repeat(68)}`;
  await writeFile(join(project, "anna.pub"), `${key} anna\n`);
  const policy = { approvals: { approvers: { anna: key } } };
  const config = { "ikoma:policy": policy, "ikoma:apps": { shop: { host: "vps1" } } };
  await writeFile(join(folder, "Pulumi.yaml"), "name: sample\nruntime: nodejs\n");
  await writeFile(join(folder, "Pulumi.prod.yaml"), JSON.stringify({ config }));
  const approve = ["deploy", "approve", "--cwd", folder, "--plan", `sha256:${"a".repeat(64)}`, "-i", "anna"];
  const [unasked, found] = [await ikoma(approve), await ikoma([...approve, "--yes"])];
  expect(unasked).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") as unknown });
  expect(found.stderr).toContain("Which bundle?");
});

test("a value that is given on the command line is refused and not repeated; a mistyped option is", async () => {
  const [value, option] = await Promise.all([
    ikoma(["secrets", "set", "shop", "KEY", "hunter22, or so"]),
    ikoma(["secrets", "set", "shop", "KEY", "--sing-key", "x"]),
  ]);
  expect(value).toMatchObject({ code: 2, stderr: expect.stringMatching(/not taken from the command line/) as unknown });
  expect(value.stderr).not.toContain("hunter22");
  expect(option).toMatchObject({ code: 2, stderr: expect.stringContaining("sing-key") as unknown });
});

test("status tells what runs, for people and for programs", async () => {
  const [human, json] = await Promise.all([ikoma(["status", "-s", "prod"]), ikoma(["status", "--json"])]);
  expect(human.stdout).toMatch(
    /^prod as of the last deploy, .* ago; --live asks the hosts\n\nshop 1\.4\.0, deployment #42 on vps1\n/,
  );
  expect(JSON.parse(json.stdout)).toMatchObject({
    apiVersion: "ikoma.dev/v1",
    kind: "Status",
    data: { stack: "prod", writtenAtMs: Date.UTC(2026, 10, 23, 5), apps: { shop: { number: 42, version: "1.4.0" } } },
  });
});

test("a token for the API is shown once, and can be taken back", async () => {
  const state = ["--state", join(project, "api-state")];
  const made = await ikoma(["api", "token", "create", ...state, "--host", "vps1", "--note", "the first"]);
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ikb_agent_\w{10}_\w{49}\n$/) as unknown });
  const [, id = ""] = /^ikb_agent_(\w{10})/.exec(made.stdout) ?? [];
  const several = await ikoma(["api", "token", "create", ...state, "--host", "vps1", "--host", "vps2"]);
  expect(several).toMatchObject({ code: 2, stderr: expect.stringContaining("one host") as unknown });
  expect(await ikoma(["api", "token", "revoke", "nobody", ...state])).toMatchObject({ code: 2 });
  expect(await ikoma(["api", "token", "revoke", id, ...state])).toMatchObject({ code: 0 });
  const list = await ikoma(["api", "token", "list", ...state, "--json"]);
  expect(JSON.parse(list.stdout)).toMatchObject({
    data: {
      tokens: [{ id, kind: "agent", hosts: ["vps1"], note: "the first", revokedMs: expect.any(Number) as unknown }],
    },
  });
  expect(list.stdout).not.toContain(made.stdout.slice(-40, -1));
  expect(list.stdout).not.toContain("hash");
});

test("the API is not served in plain text to others", async () => {
  const served = await ikoma(["api", "serve", "--state", join(project, "api-state"), "--listen", "0.0.0.0:0"]);
  expect(served).toMatchObject({ code: 2, stderr: expect.stringContaining("--tls-cert") as unknown });
});

test("a host that is reached through the API needs a token, and neither SSH nor the engine", async () => {
  const folder = join(project, "far away");
  await mkdir(folder);
  const settings = 'config: { "ikoma:hosts": { far: { api: "http://127.0.0.1:9" } } }\n';
  await writeFile(join(folder, "Pulumi.prod.yaml"), settings);
  const failed = await ikoma(["host", "status", "far", "--cwd", folder, "--json"], [], { IKOMA_API_TOKEN: "" });
  expect(failed.code).toBe(3);
  expect(JSON.parse(failed.stdout)).toMatchObject({ error: { code: "API_AUTH" } });
  const packages = await packagesOf(["host", "status", "--cwd", folder, "--json"]);
  expect([...packages].filter((name) => /^@pulumi|^@grpc|^ssh2$|protobuf|fastify/.test(name))).toEqual([]);
});

test("config explain shows what is in force and where it is from, and no secret", async () => {
  const env = "PULUMI_CONFIG_PASSPHRASE";
  const [human, json] = await Promise.all([
    ikoma(["config", "explain", "-s", "prod"], [], { [env]: "hunter22" }),
    ikoma(["config", "explain", "--json"]),
  ]);
  expect(human.stdout).toMatch(/^SETTING +VALUE +FROM\n/);
  expect(human.stdout).toMatch(/^passphrase +\[secret\] +PULUMI_CONFIG_PASSPHRASE$/m);
  expect(human.stdout).toMatch(/^ikoma:apps +\{\} +Pulumi\.prod\.yaml:2$/m);
  expect(human.stdout).toMatch(/^ikoma:offline +false +default$/m);
  expect(human.stdout).not.toContain("hunter22");
  const backend = "postgres://ikoma:hunter@22@db.example/states?sslmode=disable&password=hunter22";
  const { stdout } = await ikoma(["config", "explain"], [], { PULUMI_BACKEND_URL: backend });
  expect(stdout).toContain("postgres://ikoma:[secret]@db.example/states?sslmode=disable&password=[secret]");
  expect(JSON.parse(json.stdout)).toMatchObject({
    kind: "ConfigExplained",
    data: { stack: "prod", settings: [{ path: "ikoma:apps", origin: { kind: "file", line: 2 } }, { value: false }] },
  });
});

test.each([
  [["--version"], 0],
  [["--help"], 0],
  [[], 2],
  [["stauts"], 2],
  [["deploy"], 2],
  [["deploy", "plan", "--bundel", "x"], 2],
  [["deploy", "apply"], 2],
  [["status", "-s", "nosuch"], 6],
  [["status", "--cwd", "/nowhere"], 2],
  [["deploy", "history"], 2],
  [["deploy", "history", "--limit", "501"], 2],
  [["deploy", "plan", "--wait-for-lock", "10m"], 2],
  [["host", "status", "-s", "nosuch"], 6],
  [["drift", "-s", "nosuch"], 6],
  [["drift", "--app", "blog"], 2],
])("%j ends with %d", async (args, code) => {
  const ended = await ikoma(args);
  expect(ended).toMatchObject({ code });
  expect(ended.stderr === "").toBe(code === 0);
});

test.each([
  [["deploy", "aply"], "aply", "apply", "deploy "],
  [["secrets", "writers", "ad", "anna", "key.pub"], "ad", "add", "secrets writers "],
  [["-s", "prod", "stauts"], "stauts", "status", ""],
])("a word that is no command names the nearest, and the help to look at: %j", async (args, word, meant, help) => {
  const { stderr } = await ikoma(args);
  expect(stderr).toBe(
    `error USAGE Unknown command "${word}". Did you mean ${meant}?\n  next: See \`ikoma ${help}--help\`.\n`,
  );
});

test("what nobody can be asked names the flag", async () => {
  const { stderr } = await ikoma(["deploy", "apply"]);
  expect(stderr).toContain("Add --yes");
});

test("with --json a failure is one envelope on stdout and nothing else", async () => {
  const { stdout, stderr, code } = await ikoma(["status", "-s", "prd", "--json"]);
  expect(code).toBe(6);
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toEqual({
    apiVersion: "ikoma.dev/v1",
    kind: "Error",
    error: {
      code: "STACK_NOT_FOUND",
      message: expect.stringContaining("Pulumi.prd.yaml"),
      hint: "Did you mean --stack prod?",
      details: {},
    },
  });
});

const helps = [
  "",
  "deploy",
  "deploy plan",
  "deploy apply",
  "deploy rollback",
  "deploy status",
  "deploy history",
  "status",
  "config explain",
  "drift",
];

test.each(helps)("help of `ikoma %s`", async (command) => {
  const words = command.split(" ").filter((word) => word !== "");
  const { stdout, code } = await ikoma([...words, "--help"]);
  expect(code).toBe(0);
  expect(stdout).toMatchSnapshot();
});
