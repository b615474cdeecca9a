import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { oldBackend, packageJson, spaTree, startTree, writeTree } from "../../../../test/rigs/lovable-project.ts";
import { buildProject, type ProjectBuild } from "./build-project.ts";
import { requireProject } from "./recognise.ts";

const path = process.env.PATH;
const values = { VITE_SUPABASE_URL: "https://api.shop.example", VITE_SUPABASE_PUBLISHABLE_KEY: "sb_publishable_x" };
const build: ProjectBuild = {
  ...{ tag: "shop:v1", push: false, platform: undefined, backends: [], baseImages: {}, secrets: {} },
  values: { given: values, file: undefined, env: {} },
};
let folder = "";
let bin = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-build-"));
  bin = join(folder, "..", `${folder.split("/").at(-1)}-bin`);
  await mkdir(bin);
  process.env.PATH = `${bin}:${path}`;
});

afterEach(async () => {
  process.env.PATH = path;
  await Promise.all([folder, bin].map((each) => rm(each, { recursive: true })));
});

/** Stands for docker: keeps how it was called, prints a plain log, and ends so. The real one is in test/e2e. */
async function dockerThat(log: string, code: number): Promise<void> {
  const keep = `printf '%s\\n' "$@" > ${bin}/args; env > ${bin}/env; for a in "$@"; do case $a in */Dockerfile) cp $a $a.dockerignore ${bin}/;; esac; done`;
  await writeFile(join(bin, "docker"), `#!/bin/sh\n${keep}\ncat >&2 <<'LOG'\n${log}\nLOG\nexit ${code}\n`);
  await chmod(join(bin, "docker"), 0o755);
}

async function run(more: Partial<ProjectBuild> = {}): Promise<string[]> {
  const steps: string[] = [];
  await buildProject(await requireProject(folder), { ...build, ...more }, (step) => steps.push(step));
  return steps;
}

test("the Dockerfile stands beside the project, and values go by the environment, not the command line", async () => {
  await dockerThat("#5 [build 2/4] WORKDIR /app\n#5 DONE 0.1s\n#6 [internal] load x", 0);
  await writeTree(folder, { ...spaTree, ".dockerignore": "docs\n", ".env": `VITE_SUPABASE_URL=https://${oldBackend}` });
  const before = await readdir(folder);
  const secrets = { npmrc: "/home/me/.npmrc" };
  expect(await run({ secrets, baseImages: { NODE_IMAGE: "mirror.example/node:24" }, platform: "linux/arm64" })).toEqual(
    ["build 2/4: WORKDIR /app"],
  );
  const args = (await readFile(join(bin, "args"), "utf8")).split("\n");
  expect(args).toEqual(
    expect.arrayContaining([
      "--load",
      "VITE_SUPABASE_URL",
      "NODE_IMAGE",
      "linux/arm64",
      "id=npmrc,src=/home/me/.npmrc",
      folder,
    ]),
  );
  expect(args.join("\n")).not.toContain("api.shop.example");
  expect(await readFile(join(bin, "env"), "utf8")).toContain("VITE_SUPABASE_URL=https://api.shop.example");
  expect(await readFile(join(bin, "Dockerfile"), "utf8")).toContain("ARG VITE_SUPABASE_PUBLISHABLE_KEY\n");
  expect((await readFile(join(bin, "Dockerfile.dockerignore"), "utf8")).split("\n")).toEqual(
    expect.arrayContaining(["docs", ".env*", ".git"]),
  );
  expect(await readdir(folder)).toEqual(before);
});

test("a project with a Dockerfile of its own is built with that", async () => {
  await dockerThat("", 0);
  await writeTree(folder, { ...spaTree, Dockerfile: "FROM scratch\n" });
  await run({ push: true });
  const args = (await readFile(join(bin, "args"), "utf8")).split("\n");
  expect(args).toContain("--push");
  expect(args).not.toContain("--file");
});

test("what one of the checks inside refused is said as it is", async () => {
  const line = `the backend ${oldBackend} is in dist/assets/index.js, and nobody said that it is meant`;
  await dockerThat(
    `#12 [build 7/7] RUN printf 'ikoma: ' > x\n#13 0.412 ikoma: ${line}\n#13 ERROR: process "/bin/sh" did not complete`,
    1,
  );
  await writeTree(folder, spaTree);
  await expect(run()).rejects.toMatchObject({ code: "BUILD_REFUSED", message: `The image was not made: ${line}.` });
});

test("a build that failed is told by the line that says why", async () => {
  await dockerThat(
    "#9 1.1 npm error unknown command\n#9 1.2 npm error code ERESOLVE\n#9 1.3 npm error could not resolve\n#9 1.4 see /root/.npm/_logs/x.log\n#9 ERROR: exit code: 1",
    1,
  );
  await writeTree(folder, spaTree);
  await expect(run()).rejects.toMatchObject({
    code: "BUILD_FAILED",
    message: "The image could not be built: npm error could not resolve",
    details: {
      log: [
        "npm error unknown command",
        "npm error code ERESOLVE",
        "npm error could not resolve",
        "see /root/.npm/_logs/x.log",
      ],
    },
  });
});

test.each([
  ["docker without its plugin", true],
  ["no docker", false],
])("%s is told", async (_, hasDocker) => {
  if (hasDocker) await dockerThat("docker: 'buildx' is not a docker command.", 1);
  else process.env.PATH = bin;
  await writeTree(folder, spaTree);
  await expect(run()).rejects.toMatchObject({ code: "BUILDX_MISSING" });
});

test("what cannot run on a server, or would talk to another backend, is refused before anything is built", async () => {
  await writeTree(folder, {
    ...startTree,
    "vite.config.ts": `export default defineConfig({ nitro: { preset: "vercel" } });`,
  });
  await expect(run()).rejects.toMatchObject({ code: "PROJECT_UNSUPPORTED", details: { preset: "vercel" } });
  await writeTree(folder, {
    ...startTree,
    "package.json": packageJson("shop", { "@tanstack/react-start": "^1" }, { scripts: {} }),
  });
  await expect(run()).rejects.toMatchObject({
    code: "PROJECT_UNSUPPORTED",
    message: expect.stringContaining("no script `build`"),
  });
  const client = "src/integrations/supabase/client.ts";
  await writeTree(folder, { ...startTree, [client]: `const SUPABASE_URL = "https://${oldBackend}";` });
  await expect(run()).rejects.toMatchObject({ code: "BUILD_REFUSED", details: { host: oldBackend, file: client } });
  await expect(run({ backends: ["shop.example"] })).rejects.toMatchObject({ code: "USAGE" });
  await dockerThat("", 0);
  await run({ backends: [`https://${oldBackend}`] });
  expect(await readFile(join(bin, "env"), "utf8")).toContain(`BACKENDS=${oldBackend}\n`);
});
