import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import yargs from "yargs";
import { oldBackend, spaTree, startTree, supabaseKey, writeTree } from "../../../../test/rigs/lovable-project.ts";
// Jest cannot load modules at the same time that share one; the handlers do, so they are loaded here first.
import "../../../core/project/lovable/build-project.ts";
import "../../output/progress.ts";
import { withGlobalOptions } from "../../global-options.ts";
import build from "./build.ts";
import inspect from "./inspect.ts";
import write from "./write.ts";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-project-"));
});

afterEach(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true });
});

/** Runs a command line as the CLI does, and gives what it printed. */
async function ikoma(...words: string[]): Promise<{ stdout: string; stderr: string }> {
  const printed = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    jest.spyOn(process[stream], "write").mockImplementation((text) => {
      printed[stream] += String(text);
      return true;
    });
  }
  await withGlobalOptions(yargs(words))
    .command("project <command>", "", (group) => group.command(inspect).command(build).command(write))
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      throw (error as Error | undefined) ?? new Error(message);
    })
    .parseAsync();
  return printed;
}

test("inspect says what it is and why, variables with the file that reads them, and no value of a .env", async () => {
  await writeTree(folder, { ...startTree, ".env": `SUPABASE_SERVICE_ROLE_KEY=${supabaseKey("service_role")}\n` });
  const { stdout } = await ikoma("project", "inspect", "--cwd", folder);
  expect(stdout).toContain(
    "Lovable, generation 2: TanStack Start, run by Node.js (@tanstack/react-start ^1.167.50, named",
  );
  expect(stdout).toMatch(/install +bun, bun\.lock fits package\.json\nnode +24, .*\nbuild +nitro, as @lovable\.dev/);
  expect(stdout).toMatch(/MAIL_FROM +src\/lib\/mail\.server\.ts, which does without\n +RESEND_API_KEY +src/);
  expect(stdout).toContain("warning: SECRETS IN .env");
  const json = (await ikoma("project", "inspect", "--cwd", folder, "--json")).stdout;
  expect(JSON.parse(json)).toMatchObject({
    kind: "Project",
    data: { generation: 2, shape: "nitro", hasDockerfile: false },
  });
  expect(stdout + json).not.toContain(supabaseKey("service_role"));
});

test("write gives the files away once, and keeps what is there", async () => {
  await writeTree(folder, { ...spaTree, "compose.yaml": "services: {}\n" });
  const { stdout } = await ikoma("project", "write", "--cwd", folder);
  expect(stdout).toBe("written  Dockerfile\nwritten  .dockerignore\nkept     compose.yaml, as it was\n");
  expect(await readFile(join(folder, "Dockerfile"), "utf8")).toContain("ARG VITE_SUPABASE_URL\n");
  expect(await readFile(join(folder, ".dockerignore"), "utf8")).toContain("\n.env*\n");
  await writeFile(join(folder, "Dockerfile"), "FROM scratch\n");
  await ikoma("project", "write", "--cwd", folder);
  expect(await readFile(join(folder, "Dockerfile"), "utf8")).toBe("FROM scratch\n");
});

test("build tells what was found, then refuses; a value without a name, a name twice and no image's name are usage", async () => {
  await writeTree(folder, { ...spaTree, ".env": `VITE_SUPABASE_URL=https://${oldBackend}\n` });
  const words = ["project", "build", "--cwd", folder, "--tag", "registry.example/shop:v1"];
  const failed = ikoma(...words, "--value", "VITE_SUPABASE_URL=");
  await expect(failed).rejects.toMatchObject({
    code: "BUILD_VALUES_INVALID",
    details: { names: ["VITE_SUPABASE_PUBLISHABLE_KEY"] },
  });
  await expect(ikoma(...words, "--value", supabaseKey("service_role"))).rejects.toMatchObject({
    code: "USAGE",
    message: "--value: write NAME=value.",
  });
  await expect(ikoma(...words, "--value", "VITE_A=1", "--value", "VITE_A=2")).rejects.toMatchObject({
    message: "--value: VITE_A is given twice.",
  });
  await expect(ikoma("project", "build", "--cwd", folder, "--tag", "Shop!")).rejects.toMatchObject({ code: "USAGE" });
  expect((await readdir(folder)).includes("Dockerfile")).toBe(false);
});

test("a folder that is no such project is told so by each command", async () => {
  for (const words of [["inspect"], ["write"], ["build", "--tag", "shop:v1"]]) {
    await expect(ikoma("project", ...words, "--cwd", folder)).rejects.toMatchObject({ code: "PROJECT_UNKNOWN" });
  }
});
