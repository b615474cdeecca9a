import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { runGroup, type Printed } from "../../../../test/rigs/command-group.ts";
import { oldBackend, spaTree, startTree, supabaseKey, writeTree } from "../../../../test/rigs/lovable-project.ts";
// Jest cannot load modules at the same time that share one; the handlers do, so they are loaded here first.
import "../../../core/project/lovable/build-project.ts";
import "../../output/progress.ts";
import build from "./build.ts";
import inspect from "./inspect.ts";
import write from "./write.ts";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-project-"));
});

afterEach(() => rm(folder, { recursive: true }));

function ikoma(...words: string[]): Promise<Printed> {
  return runGroup("project", (group) => group.command(inspect).command(build).command(write), ["project", ...words]);
}

test("inspect says what it is and why, variables with the file that reads them, and no value of a .env", async () => {
  await writeTree(folder, { ...startTree, ".env": `SUPABASE_SERVICE_ROLE_KEY=${supabaseKey("service_role")}\n` });
  const { stdout } = await ikoma("inspect", "--cwd", folder);
  expect(stdout).toContain(
    "Lovable, generation 2: TanStack Start, run by Node.js (@tanstack/react-start ^1.167.50, named",
  );
  expect(stdout).toMatch(/install +bun, bun\.lock fits package\.json\nnode +24, .*\nbuild +nitro, as @lovable\.dev/);
  expect(stdout).toMatch(/MAIL_FROM +src\/lib\/mail\.server\.ts, which does without\n +RESEND_API_KEY +src/);
  expect(stdout).toContain("warning: SECRETS IN .env");
  const json = (await ikoma("inspect", "--cwd", folder, "--json")).stdout;
  expect(JSON.parse(json)).toMatchObject({
    kind: "Project",
    data: { generation: 2, shape: "nitro", hasDockerfile: false },
  });
  expect(stdout + json).not.toContain(supabaseKey("service_role"));
});

test("write gives the files away once, and keeps what is there", async () => {
  await writeTree(folder, { ...spaTree, "compose.yaml": "services: {}\n" });
  const { stdout } = await ikoma("write", "--cwd", folder);
  expect(stdout).toBe("written  Dockerfile\nwritten  .dockerignore\nkept     compose.yaml, as it was\n");
  expect(await readFile(join(folder, "Dockerfile"), "utf8")).toContain("ARG VITE_SUPABASE_URL\n");
  expect(await readFile(join(folder, ".dockerignore"), "utf8")).toContain("\n.env*\n");
  await writeFile(join(folder, "Dockerfile"), "FROM scratch\n");
  await ikoma("write", "--cwd", folder);
  expect(await readFile(join(folder, "Dockerfile"), "utf8")).toBe("FROM scratch\n");
});

test("write leaves a list of the project's own as it is, and what is left out is still what was", async () => {
  await writeTree(folder, { ...spaTree, ".dockerignore": "docs\n" });
  const { stdout } = await ikoma("write", "--cwd", folder);
  expect(stdout).toBe("written  Dockerfile\nwritten  Dockerfile.dockerignore\nwritten  compose.yaml\n");
  expect(await readFile(join(folder, ".dockerignore"), "utf8")).toBe("docs\n");
  expect(await readFile(join(folder, "Dockerfile.dockerignore"), "utf8")).toMatch(/^docs\n[^]*\n\.env\*\n/);
});

test("write says nothing of what a Dockerfile of the project's own leaves out", async () => {
  await writeTree(folder, { ...spaTree, Dockerfile: "FROM nginx\nEXPOSE 80\n" });
  const { stdout } = await ikoma("write", "--cwd", folder);
  expect(stdout).toBe("written  compose.yaml\nkept     Dockerfile, as it was\n");
  expect(await readFile(join(folder, "compose.yaml"), "utf8")).toContain(`"80:80"`);
});

test("build tells what was found, then refuses; a value without a name, a name twice and no image's name are usage", async () => {
  await writeTree(folder, { ...spaTree, ".env": `VITE_SUPABASE_URL=https://${oldBackend}\n` });
  const words = ["build", "--cwd", folder, "--tag", "registry.example/shop:v1"];
  const failed = ikoma(...words, "--value", "VITE_SUPABASE_URL=");
  await expect(failed).rejects.toMatchObject({
    code: "BUILD_VALUES_INVALID",
    details: { names: ["VITE_SUPABASE_PUBLISHABLE_KEY"] },
  });
  for (const nameless of [supabaseKey("service_role"), "postgres://shop:hunter2@db/shop?sslmode=require"]) {
    await expect(ikoma(...words, "--value", nameless)).rejects.toMatchObject({
      code: "USAGE",
      message: "--value: write name=value.",
    });
  }
  await expect(ikoma(...words, "--value", "VITE_A=1", "--value", "VITE_A=2")).rejects.toMatchObject({
    message: "--value: VITE_A is given twice.",
  });
  await expect(ikoma("build", "--cwd", folder, "--tag", "Shop!")).rejects.toMatchObject({ code: "USAGE" });
  expect((await readdir(folder)).includes("Dockerfile")).toBe(false);
});

test("build prints the image by the digest that its push said", async () => {
  await writeTree(folder, spaTree);
  const digest = `sha256:${"1".repeat(64)}`;
  const docker = `for a in "$@"; do case $a in */metadata.json) echo '{"containerimage.digest":"${digest}"}' > $a;; esac; done`;
  await writeFile(join(folder, "docker"), `#!/bin/sh\n${docker}\n`, { mode: 0o755 });
  const path = process.env.PATH;
  process.env.PATH = `${folder}:${path}`;
  try {
    const values = ["--value", "VITE_SUPABASE_URL=https://x.example", "--value", "VITE_SUPABASE_PUBLISHABLE_KEY="];
    const { stdout } = await ikoma("build", "--cwd", folder, "--tag", "registry.example/shop:v1", "--push", ...values);
    expect(stdout).toBe(`registry.example/shop@${digest}\n`);
  } finally {
    process.env.PATH = path;
  }
});

test("a folder that is no such project is told so by each command", async () => {
  for (const words of [["inspect"], ["write"], ["build", "--tag", "shop:v1"]]) {
    await expect(ikoma(...words, "--cwd", folder)).rejects.toMatchObject({ code: "PROJECT_UNKNOWN" });
  }
});
