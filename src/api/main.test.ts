import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "@jest/globals";
import { freePair } from "../../test/rigs/own-port.ts";

const main = join(import.meta.dirname, "main.ts");

function started(env: NodeJS.ProcessEnv) {
  return spawn(process.execPath, [main], { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
}

test.each([
  ["a port that is none", { IKOMA_API_PORT: "http" }, /^CONFIG_INVALID: .*\n.*IKOMA_API_PORT\n$/],
  [
    "a token in place of its fingerprint",
    { IKOMA_API_ADMINS: "ikb_admin_x" },
    /^CONFIG_INVALID: IKOMA_API_ADMINS: that is no/,
  ],
])("%s is refused for what it is", async (_what, env, message) => {
  const api = started(env);
  const [said, ended] = await Promise.all([text(api.stderr), once(api, "exit")]);
  expect(said).toMatch(message);
  expect(ended).toEqual([1, null]);
  expect(said).not.toContain("ikb_admin_x");
});

test("it serves until it is told to end", async () => {
  const state = await mkdtemp(join(tmpdir(), "ikoma-api-main-"));
  const port = await freePair();
  const api = started({ IKOMA_API_STATE: state, IKOMA_API_PORT: String(port) });
  const ended = once(api, "exit");
  await new Promise<void>((resolve) => {
    api.stderr.setEncoding("utf8").on("data", (line: string) => {
      if (line.includes("listening")) resolve();
    });
  });
  expect((await fetch(`http://127.0.0.1:${port}/v1/health`)).status).toBe(200);
  api.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  await rm(state, { recursive: true });
});
