import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { runCompose } from "./compose-command.ts";

let folder: string;
const before = { ...process.env };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-compose-"));
});
afterEach(async () => {
  process.env = { ...before };
  await rm(folder, { recursive: true });
});

test("compose is given neither its own settings nor what is secret here, and the rest as it is", async () => {
  const program = join(folder, "compose");
  await writeFile(program, "#!/bin/sh\nenv\n");
  await chmod(program, 0o755);
  process.env["IKOMA_STORE_IDENTITY"] = "AGE-SECRET-KEY-1";
  process.env["COMPOSE_FILE"] = "elsewhere.yaml";
  process.env["APP_COLOR"] = "blue";
  const { stdout } = await runCompose([program], ["config"], { environment: { COMPOSE_PROFILES: "web" } });
  expect(stdout).not.toMatch(/AGE-SECRET-KEY-1|elsewhere\.yaml/);
  expect(stdout).toContain("APP_COLOR=blue\n");
  expect(stdout).toContain("COMPOSE_PROFILES=web\n");
});
