import { access, chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { oldBackend, packageJson, spaTree, startTree, writeTree } from "../../../../test/rigs/lovable-project.ts";
import { buildProject, type ProjectBuild } from "./build-project.ts";
import { requireProject } from "./recognise.ts";

const path = process.env.PATH;
const values = { VITE_SUPABASE_URL: "https://api.shop.example", VITE_SUPABASE_PUBLISHABLE_KEY: "sb_publishable_x" };
const build: ProjectBuild = {
  ...{ tag: "shop:v1", push: false, platform: undefined, backends: [], baseImages: {}, secrets: {} },
  values: { given: values, file: undefined, env: {} },
  signal: new AbortController().signal,
};
const digest = `sha256:${"1".repeat(64)}`;
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

/**
 * Stands for docker: keeps how it was called and whether it was told to end, prints a plain log, and ends so. The real
 * one is in test/e2e.
 */
async function dockerThat(log: string, end: number | string, metadata = {}): Promise<void> {
  const keep = `trap 'echo > ${bin}/ended; exit 1' TERM
printf '%s\\n' "$@" > ${bin}/args; env > ${bin}/env
for a in "$@"; do case $a in
  */Dockerfile) cp $a $a.dockerignore ${bin}/;;
  */metadata.json) echo '${JSON.stringify(metadata)}' > $a;;
esac; done`;
  const last = typeof end === "number" ? `exit ${end}` : end;
  await writeFile(join(bin, "docker"), `#!/bin/sh\n${keep}\ncat >&2 <<'LOG'\n${log}\nLOG\n${last}\n`);
  await chmod(join(bin, "docker"), 0o755);
}

async function run(more: Partial<ProjectBuild> = {}): Promise<string[]> {
  const steps: string[] = [];
  await buildProject(await requireProject(folder), { ...build, ...more }, (step) => steps.push(step));
  return steps;
}

async function builtWith(name: "args" | "env" | "Dockerfile" | "Dockerfile.dockerignore"): Promise<string> {
  return readFile(join(bin, name), "utf8");
}

test("the Dockerfile stands beside the project, and values go by the environment, not the command line", async () => {
  await dockerThat("#5 [build 2/4] WORKDIR /app\n#5 DONE 0.1s\n#6 [internal] load x", 0);
  await writeTree(folder, { ...spaTree, ".dockerignore": "docs\n", ".env": `VITE_SUPABASE_URL=https://${oldBackend}` });
  const before = await readdir(folder);
  const secrets = { npmrc: "/home/me/.npmrc" };
  expect(await run({ secrets, baseImages: { NODE_IMAGE: "mirror.example/node:24" }, platform: "linux/arm64" })).toEqual(
    ["build 2/4: WORKDIR /app"],
  );
  const args = (await builtWith("args")).split("\n");
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
  expect(await builtWith("env")).toContain("VITE_SUPABASE_URL=https://api.shop.example");
  expect(await builtWith("Dockerfile")).toContain("ARG VITE_SUPABASE_PUBLISHABLE_KEY\n");
  expect((await builtWith("Dockerfile.dockerignore")).split("\n")).toEqual(
    expect.arrayContaining(["docs", ".env*", ".git"]),
  );
  expect(await readdir(folder)).toEqual(before);
});

test("a value that only the configuration reads reaches the build, and only what the source reads is asked for", async () => {
  await dockerThat("", 0);
  const file = join(bin, "values.env");
  await writeFile(file, "VITE_PLUGIN=from-file\nDATABASE_URL=postgres://db/shop\n");
  await writeTree(folder, spaTree);
  await run({ values: { given: { ...values, VITE_CONFIG: "said" }, file, env: {} } });
  const text = await builtWith("Dockerfile");
  expect(text).toContain("ARG VITE_PLUGIN\nARG VITE_CONFIG\n");
  expect(text).not.toMatch(/VITE_PLUGIN\+set|DATABASE_URL/);
  expect(await builtWith("env")).toMatch(/^VITE_PLUGIN=from-file$/m);
});

describe("a project with a Dockerfile of its own", () => {
  const dockerfile = "FROM node:24 AS build\nARG VITE_SUPABASE_URL VITE_SUPABASE_PUBLISHABLE_KEY\n";

  test("is built with that, in which the .env files are not", async () => {
    await dockerThat("", 0);
    await writeTree(folder, { ...spaTree, Dockerfile: dockerfile, ".dockerignore": "docs\n!.env\n" });
    await run();
    expect(await builtWith("Dockerfile")).toBe(dockerfile);
    const left = (await builtWith("Dockerfile.dockerignore")).split("\n");
    expect(left.indexOf(".env*")).toBeGreaterThan(left.indexOf("!.env"));
    // It may take in what was built before.
    expect(left).not.toContain("dist");
  });

  test("is refused where it would lose a value, and told what of a file it does not take", async () => {
    await dockerThat("", 0);
    await writeTree(folder, { ...spaTree, Dockerfile: "ARG VITE_SUPABASE_URL\nFROM node:24\n" });
    await expect(run()).rejects.toMatchObject({
      code: "BUILD_VALUES_INVALID",
      details: { names: ["VITE_SUPABASE_PUBLISHABLE_KEY", "VITE_SUPABASE_URL"] },
    });
    await writeTree(folder, { Dockerfile: dockerfile, ".env": "VITE_SUPABASE_PROJECT_ID=abc\n" });
    await expect(run({ values: { given: { ...values, VITE_X: "1" }, file: undefined, env: {} } })).rejects.toThrow(
      "no ARG for VITE_X.",
    );
    expect(await run({ values: { given: values, file: join(folder, ".env"), env: {} } })).toEqual([
      "Not used, as the Dockerfile has no ARG for it: VITE_SUPABASE_PROJECT_ID",
    ]);
  });

  test("is not asked for what it sets itself", async () => {
    await dockerThat("", 0);
    const fixed = "FROM node:24\nENV VITE_SUPABASE_URL=https://x.example VITE_SUPABASE_PUBLISHABLE_KEY=x\n";
    await writeTree(folder, { ...spaTree, Dockerfile: fixed });
    expect(await run({ values: { given: {}, file: undefined, env: {} } })).toEqual([]);
  });
});

test("the digest is what the push says of itself, not an image's id", async () => {
  await writeTree(folder, spaTree);
  const project = await requireProject(folder);
  const push = (): Promise<string | undefined> => buildProject(project, { ...build, push: true }, () => undefined);
  await dockerThat("", 0, { "containerimage.digest": digest, "containerimage.config.digest": "sha256:2" });
  expect(await push()).toBe(digest);
  expect(await builtWith("args")).toContain("--push\n");
  await dockerThat("", 0, { "containerimage.digest": digest, "containerimage.config.digest": digest });
  await expect(push()).rejects.toMatchObject({ code: "BUILD_FAILED", message: expect.stringContaining("digest") });
});

test("a build that is cancelled has ended, and left nothing behind, when that is told", async () => {
  const untilTold = "for each in $(seq 500); do sleep 0.02; done";
  await dockerThat("#5 [build 2/4] WORKDIR /app", untilTold);
  await writeTree(folder, spaTree);
  const [controller, reason] = [new AbortController(), new Error("cancelled")];
  const building = buildProject(await requireProject(folder), { ...build, signal: controller.signal }, () => {
    controller.abort(reason);
  });
  await expect(building).rejects.toBe(reason);
  await access(join(bin, "ended"));
  const scratch = /^(.*)\/Dockerfile$/m.exec(await builtWith("args"))?.[1] ?? "";
  await expect(access(scratch)).rejects.toMatchObject({ code: "ENOENT" });
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

test("what cannot run on a server is refused before anything is built", async () => {
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
});

test("a backend that the source falls back to is left to the search of what was built", async () => {
  await dockerThat("", 0);
  const client = `const url = import.meta.env.VITE_SUPABASE_URL ?? "https://${oldBackend}";`;
  await writeTree(folder, { ...startTree, "src/integrations/supabase/client.ts": client });
  await run();
  expect(await builtWith("env")).toContain("BACKENDS=\n");
  await expect(run({ backends: ["shop.example"] })).rejects.toMatchObject({ code: "USAGE" });
  await run({ backends: [`https://${oldBackend}`] });
  expect(await builtWith("env")).toContain(`BACKENDS=${oldBackend}\n`);
});
