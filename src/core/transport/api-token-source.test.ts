import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatToken } from "../link/api-token.ts";
import { readAdminToken, readAgentToken, readCallerToken } from "./api-token-source.ts";

const parts = { id: "0".repeat(10), secret: "0".repeat(43) };
const [caller, agent] = [formatToken({ kind: "caller", ...parts }), formatToken({ kind: "agent", ...parts })];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-token-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileWith(text: string, mode = 0o600): Promise<string> {
  const file = join(folder, `token-${mode.toString(8)}`);
  await writeFile(file, text);
  await chmod(file, mode);
  return file;
}

test("comes from the environment, or from a file that only its owner can read", async () => {
  expect(await readCallerToken({ IKOMA_API_TOKEN: caller })).toBe(caller);
  expect(await readCallerToken({ IKOMA_API_TOKEN_FILE: await fileWith(`${caller}\n`) })).toBe(caller);
  expect(await readAgentToken(await fileWith(agent))).toBe(agent);
  const admin = formatToken({ kind: "admin", ...parts });
  expect(await readAdminToken({ IKOMA_API_ADMIN_TOKEN: admin })).toBe(admin);
  expect(await readAdminToken({ IKOMA_API_ADMIN_TOKEN_FILE: await fileWith(`${admin}\n`) })).toBe(admin);
});

test("of nowhere, with a typing error, or of the wrong kind, is told without its text", async () => {
  await expect(readCallerToken({})).rejects.toMatchObject({ code: "API_AUTH" });
  await expect(readCallerToken({ IKOMA_API_TOKEN_FILE: join(folder, "none") })).rejects.toMatchObject({
    code: "API_AUTH",
  });
  const wrong = readCallerToken({ IKOMA_API_TOKEN: `${caller}x` });
  await expect(wrong).rejects.toMatchObject({ code: "API_AUTH", message: expect.not.stringContaining(parts.secret) });
  await expect(readCallerToken({ IKOMA_API_TOKEN: agent })).rejects.toThrow("it is one of the kind agent");
  await expect(readAdminToken({ IKOMA_API_TOKEN: caller })).rejects.toMatchObject({ code: "API_AUTH" });
  await expect(readAdminToken({ IKOMA_API_ADMIN_TOKEN: caller })).rejects.toThrow("has no admin's token");
  await expect(readAgentToken(await fileWith(caller))).rejects.toThrow("it is one of the kind caller");
});

test("in a file that others can read is refused", async () => {
  const file = await fileWith(caller, 0o640);
  await expect(readCallerToken({ IKOMA_API_TOKEN_FILE: file })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    hint: expect.stringContaining("chmod 600"),
  });
});
