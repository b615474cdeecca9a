import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { requireRecipients } from "./change-secret.ts";
import { createIdentity, readIdentities } from "./identity.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-identity-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** The same text, but for one character near its end. */
const mistyped = (text: string): string =>
  text.replace(/.(..)$/, (all, end: string) => (all[0] === "Q" ? "P" : "Q") + end);

test("identities are one a line, with comments", async () => {
  const [one, other] = await Promise.all([createIdentity(), createIdentity()]);
  const file = join(folder, "two");
  await writeFile(file, `${one.text}\n${other.text}`, { mode: 0o600 });
  expect(await readIdentities({ IKOMA_STORE_IDENTITY_FILE: file })).toHaveLength(2);
});

test("one with a typing error is named by its line, and not told", async () => {
  const { text } = await createIdentity();
  const given = mistyped(text.trim());
  const secret = given.split("\n").at(-1) ?? "";
  const refused: unknown = await readIdentities({ IKOMA_STORE_IDENTITY: given }).catch((error: unknown) => error);
  expect(refused).toMatchObject({
    code: "STORE_IDENTITY",
    message: "IKOMA_STORE_IDENTITY, line 2: no identity of age (AGE-SECRET-KEY-1…), or one with a typing error.",
  });
  expect(inspect(refused, { depth: 9 })).not.toContain(secret.slice(16, 40));
});

test("nothing but comments is no identity", async () => {
  await expect(readIdentities({ IKOMA_STORE_IDENTITY: "# nothing\n" })).rejects.toMatchObject({
    code: "STORE_IDENTITY",
  });
});

test("a recipient with a typing error in the settings is named", async () => {
  const { recipient } = await createIdentity();
  const recipients = { anna: recipient, ci: `age1${"q".repeat(58)}` };
  await expect(requireRecipients(recipients)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringMatching(/^ikoma:store\.recipients\.ci: age1q+ is no recipient of age/) as unknown,
  });
});
