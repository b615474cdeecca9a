import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMigrations } from "./read-migrations.ts";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-migrations-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function files(texts: Record<string, string | Buffer>): Promise<void> {
  for (const [name, text] of Object.entries(texts)) await writeFile(join(folder, name), text);
}

const read = () => readMigrations(folder, "./migrations");

test("SQL files are read in order of their versions; everything else is left alone", async () => {
  await files({
    "20260102_b.sql": "select 2;",
    "20260101_a_b.sql": "drop table a;",
    "README.md": "no",
    "seed.sql.bak": "no",
  });
  await mkdir(join(folder, "20260103_folder.sql"));
  expect(await read()).toMatchObject([
    { version: "20260101", name: "a_b", text: "drop table a;", phase: "contract", findings: [{ rule: "drop-table" }] },
    { version: "20260102", name: "b", text: "select 2;", phase: "expand", findings: [] },
  ]);
});

test("newlines and a mark at the beginning make no other file of it", async () => {
  await files({ "1_a.sql": "select 1;\nselect 2;\n" });
  const [unix] = await read();
  await files({ "1_a.sql": "\uFEFFselect 1;\r\nselect 2;\r\n" });
  expect(await read()).toEqual([unix]);
});

test("a file that mentions roles of Supabase makes it one of its projects", async () => {
  await files({ "1_a.sql": "create table a (id int);" });
  expect(await read()).toMatchObject([{ findings: [] }]);
  await files({ "2_b.sql": "grant select on a to authenticated;" });
  expect(await read()).toMatchObject([{ findings: [{ rule: "table-without-rls" }] }, { findings: [] }]);
});

test.each<[string, Record<string, string | Buffer>, string]>([
  ["a bad name", { "first.sql": "" }, "first.sql is not named like 20260131120000_what_it_does.sql"],
  ["a version that is there twice", { "1_a.sql": "", "1_b.sql": "" }, "the version 1 is there twice"],
  ["an order that is not clear", { "9_a.sql": "", "10_b.sql": "" }, "different numbers of digits"],
  ["a file that is too large", { "1_a.sql": "-".repeat(300_000) }, "1_a.sql has 300000 bytes"],
  ["what is no text", { "1_a.sql": Buffer.from([0xff, 0xfe]) }, "1_a.sql is no text in UTF-8"],
  ["a private key", { "1_a.sql": "-----BEGIN PRIVATE KEY-----\n" }, "1_a.sql holds a private key"],
])("%s is refused", async (_what, texts, message) => {
  await files(texts);
  await expect(read()).rejects.toMatchObject({ code: "MIGRATIONS_INVALID", message: expect.stringContaining(message) });
});

test("all that is wrong is told at once; too much altogether, a broken link and no folder too", async () => {
  await files(Object.fromEntries([1, 2, 3, 4, 5].map((each) => [`${each}_a.sql`, "-".repeat(250_000)])));
  await symlink("/nowhere", join(folder, "6_b.sql"));
  await expect(read()).rejects.toThrow(/6_b.sql is no file; all files together have 1250000 characters/);
  await expect(readMigrations(join(folder, "none"), "./none")).rejects.toThrow("./none: there is no such folder.");
});
