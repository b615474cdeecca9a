import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { askEngine, runEngine } from "./engine-process.ts";
import { setStackSecret } from "./stack-secrets.ts";

let folder: string;
const before = { ...process.env };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-engine-"));
});
afterEach(async () => {
  process.env = { ...before };
  await rm(folder, { recursive: true });
});

/** A `pulumi` of this script, first on PATH. */
async function pulumiThat(script: string): Promise<void> {
  await writeFile(join(folder, "pulumi"), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, "pulumi"), 0o755);
  process.env["PATH"] = `${folder}${delimiter}${process.env["PATH"] ?? ""}`;
}

test("no secret that is this program's own gets to the engine, however it is started", async () => {
  await pulumiThat(`env >"${join(folder, "told")}"`);
  for (const name of ["API_TOKEN", "API_ADMIN_TOKEN", "STORE_URL", "STORE_IDENTITY", "SIGN_KEY", "SIGN_PASSPHRASE"])
    process.env[`IKOMA_${name}`] = "hunter22";
  process.env["PULUMI_CONFIG_PASSPHRASE"] = "for the engine";
  for (const start of [runEngine, askEngine]) {
    await start({ args: ["version"], workDir: folder, env: { IKOMA_STORE_URL: "hunter22", AWS_PROFILE: "own" } });
    const told = await readFile(join(folder, "told"), "utf8");
    expect(told).not.toContain("hunter22");
    expect(told).toContain("PULUMI_CONFIG_PASSPHRASE=for the engine\n");
    expect(told).toContain("AWS_PROFILE=own\n");
  }
});

test("what it is given on standard input is in none of its arguments, and what it prints is answered whole", async () => {
  await pulumiThat(`echo "$@"; cat`);
  const input = "x".repeat(3 * 1024 * 1024);
  expect(await askEngine({ args: ["config", "set"], workDir: folder, input })).toBe(`config set\n${input}`);
});

test("what it fails with is told as the error that it is", async () => {
  await pulumiThat(`echo "error: no stack named 'prod' found" >&2; exit 255`);
  await expect(askEngine({ args: ["stack", "export"], workDir: folder })).rejects.toMatchObject({
    code: "STACK_NOT_FOUND",
  });
});

test("without an engine that is said", async () => {
  process.env["PATH"] = folder;
  await expect(setStackSecret({ workDir: folder, stackName: "prod" }, "a", "b")).rejects.toMatchObject({
    code: "ENGINE_MISSING",
  });
});
