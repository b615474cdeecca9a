import { expect, test } from "@jest/globals";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { IkomaError } from "../../errors.ts";
import { readSecrets, type SecretPlace, type SecretSources } from "./read-secrets.ts";

/** A command that runs this JavaScript. */
const running = (script: string) => ({ command: [process.execPath, "-e", script] });

async function failure(source: SecretSources[string], place: SecretPlace = {}): Promise<IkomaError> {
  try {
    await readSecrets("shop", { API_KEY: source }, place);
  } catch (error) {
    return error as IkomaError;
  }
  throw new Error("it went well");
}

test("a value is from the settings, a variable, or what a command prints", async () => {
  const sources = {
    SET: "as it is\n",
    FROM_ENV: { env: "CI_KEY" },
    PRINTED: running("console.log('two\\nlines')"),
  };
  expect(await readSecrets("shop", sources, { env: { ...process.env, CI_KEY: "from ci" } })).toEqual({
    SET: "as it is\n",
    FROM_ENV: "from ci",
    PRINTED: "two\nlines",
  });
});

test("a command that several secrets name runs once, in the folder, with nobody to ask", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ikoma-secrets-"));
  try {
    await writeFile(join(folder, "runs"), "");
    const script = "require('fs').appendFileSync('runs','x');process.stdin.resume().on('end',()=>console.log('v'))";
    const source = running(script);
    expect(await readSecrets("shop", { A: source, B: source }, { folder })).toEqual({ A: "v", B: "v" });
    expect(await readFile(join(folder, "runs"), "utf8")).toBe("x");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.each<[string, SecretSources[string], RegExp]>([
  ["a variable that is not set", { env: "NO_SUCH" }, /variable NO_SUCH is not set/],
  ["a command that is not there", { command: ["no-such-tool-here"] }, /`no-such-tool-here` is not installed/],
  ["one that fails", running("console.error('not\\nsigned in');process.exit(3)"), /ended with 3: signed in\.$/],
  ["one that prints nothing", running(""), /printed nothing/],
  ["one that never ends", running("setInterval(()=>{},1000)"), /did not end within/],
  ["one that prints without end", running("console.log('x'.repeat(100_000))"), /more than 64 KiB/],
])("%s is told with the secret's name", async (_what, source, reason) => {
  const error = await failure(source, { env: process.env, timeoutMs: 1_500 });
  expect(error).toMatchObject({ code: "CONFIG_MISSING", message: expect.stringMatching(reason) });
  expect(error.message).toMatch(/^ikoma:secrets\.shop\.API_KEY: /);
});

test("an offline plan, whose settings anybody may have written, runs no command", async () => {
  const error = await failure(running("console.log('ran')"), { offline: true });
  expect(error).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining("no command is run") });
});

test("a value of the store is what was read from there for the variable, and offline nothing is", async () => {
  const sources = { API_KEY: { store: "OTHER" } };
  expect(await readSecrets("shop", sources, { stored: { API_KEY: "of the store" } })).toEqual({
    API_KEY: "of the store",
  });
  const error = await failure({ store: true }, { offline: true, stored: { API_KEY: "of the store" } });
  expect(error).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining("the store is not asked") });
});

test("what a failed command printed as a value stays out of sight", async () => {
  const { message, hint, details, stack } = await failure(running("console.log('s3cret'+'-value');process.exit(1)"));
  expect(JSON.stringify({ message, hint, details, stack })).not.toContain("s3cret-value");
});
