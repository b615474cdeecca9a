import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { supabaseKey } from "../../../../test/rigs/lovable-project.ts";
import type { IkomaError } from "../../errors.ts";
import { collectBuildValues } from "./build-values.ts";

const variables = ["VITE_URL", "VITE_KEY"].map((name) => ({ name, file: "src/client.ts", hasFallback: true }));
let folder = "";
let file = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-values-"));
  file = join(folder, "values.env");
  await writeFile(file, `VITE_URL="https://file.example"\nDATABASE_URL=postgres://shop:hunter2@db/shop\n`);
});

afterEach(() => rm(folder, { recursive: true }));

test("what is said wins over the file, and the file over the environment; the file's other variables stay out", async () => {
  const env = { VITE_URL: "https://env.example", VITE_KEY: "env", VITE_OTHER: "x" };
  expect(await collectBuildValues(variables, { given: {}, file, env })).toEqual({
    VITE_URL: "https://file.example",
    VITE_KEY: "env",
  });
  expect(
    await collectBuildValues(variables, { given: { VITE_URL: "https://said.example", VITE_KEY: "" }, file, env }),
  ).toEqual({
    VITE_URL: "https://said.example",
    VITE_KEY: "",
  });
});

test("what a file says besides is passed on where it is filled and of a build's name", async () => {
  await writeFile(
    file,
    "VITE_URL=https://x.example\nVITE_KEY=k\nVITE_PLUGIN=p\nVITE_NONE=\nVITE-ODD=o\nDATABASE_URL=x\n",
  );
  expect(await collectBuildValues(variables, { given: {}, file, env: { VITE_ENV: "e" } })).toEqual({
    VITE_URL: "https://x.example",
    VITE_KEY: "k",
    VITE_PLUGIN: "p",
  });
});

test("what has no value is refused with who reads it, though the source does without: that is how an image gets the old backend", async () => {
  await expect(
    collectBuildValues(variables, { given: {}, file: undefined, env: { VITE_KEY: "" } }),
  ).rejects.toMatchObject({
    code: "BUILD_VALUES_INVALID",
    message: "The build needs values for VITE_URL (read by src/client.ts), VITE_KEY (read by src/client.ts).",
    details: { names: ["VITE_URL", "VITE_KEY"] },
  });
});

test.each([
  ["a service_role key", supabaseKey("service_role"), "c2lnbmF0dXJl", /service_role/],
  ["a secret key of Supabase", "sb_secret_aaaaaaaaaaaaaaaaaaaa", "aaaa", /secret key of Supabase/],
  ["a secret key of a payment service", "sk_live_aaaaaaaaaaaa", "aaaa", /by its beginning/],
  ["an address with a password", "postgres://shop:hunter2@db/shop", "hunter2", /password/],
])("%s is refused, and nothing of it is shown", async (_, value, secret, reason) => {
  const given = { VITE_URL: "https://x.example", VITE_KEY: value };
  const failed: unknown = await collectBuildValues(variables, { given, file: undefined, env: {} }).catch(
    (error: unknown) => error,
  );
  expect(failed).toMatchObject({ code: "BUILD_VALUES_INVALID", message: expect.stringMatching(reason) });
  const { message, hint, details } = failed as IkomaError;
  expect(JSON.stringify({ message, hint, details })).not.toContain(secret);
});

test("the anon key is public; a name that no build reads, or a file that is not there, is refused", async () => {
  const given = { VITE_URL: "https://x.example", VITE_KEY: supabaseKey("anon"), VITE_LANGUAGE: "sk-SK" };
  expect(await collectBuildValues(variables, { given, file: undefined, env: {} })).toEqual(given);
  await expect(
    collectBuildValues([], { given: { DATABASE_URL: "x" }, file: undefined, env: {} }),
  ).rejects.toMatchObject({
    code: "BUILD_VALUES_INVALID",
    details: { names: ["DATABASE_URL"] },
  });
  await expect(collectBuildValues([], { given: {}, file: join(folder, "none"), env: {} })).rejects.toMatchObject({
    code: "CONFIG_MISSING",
  });
});
