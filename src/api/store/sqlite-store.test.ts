import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { SqliteStore } from "./sqlite-store.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-store-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("tokens of a store that did not keep yet who made them stay, and may be made by anybody", async () => {
  SqliteStore.open(folder).close();
  const old = new DatabaseSync(join(folder, "api.db"));
  old.exec("ALTER TABLE tokens DROP COLUMN created_by; PRAGMA user_version = 1");
  old.exec("INSERT INTO tokens VALUES ('a', 'agent', 'h', '[\"vps1\"]', '', 1, NULL, NULL)");
  old.close();
  const store = SqliteStore.open(folder);
  expect(await store.tokens()).toMatchObject([{ id: "a", hosts: ["vps1"], createdBy: undefined }]);
  store.close();
});

test("a store that cannot be read is not well", async () => {
  const store = SqliteStore.open(folder);
  await store.check();
  store.close();
  expect(() => store.check()).toThrow();
});
