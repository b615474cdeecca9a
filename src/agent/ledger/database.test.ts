import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase, transaction } from "./database.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ikoma-ledger-"));
  path = join(folder, "agent", "ledger.db");
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("a new ledger has its schema, is durable, and is nobody else's to read", () => {
  const database = openDatabase(path);
  expect(database.prepare("PRAGMA user_version").get()).toEqual({ user_version: 4 });
  expect(database.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
  expect(database.prepare("PRAGMA synchronous").get()).toEqual({ synchronous: 2 });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
  database.close();
});

test("opening it again changes nothing", () => {
  const first = openDatabase(path);
  first.exec("INSERT INTO generations VALUES ('shop', 'site', 3)");
  first.close();
  const second = openDatabase(path);
  expect(second.prepare("SELECT generation FROM generations").all()).toEqual([{ generation: 3 }]);
  second.close();
});

test("a ledger that a newer agent has written is refused, and left as it is", () => {
  const newer = openDatabase(path);
  newer.exec("PRAGMA user_version = 99; CREATE TABLE of_the_future (x)");
  newer.close();
  expect(() => openDatabase(path)).toThrow(expect.objectContaining({ code: "JOURNAL_NEWER" }));
});

test("a transaction that fails leaves nothing, says why, and the next one works", () => {
  const database = openDatabase(path);
  const add = (generation: number) => {
    database.exec(`INSERT INTO generations VALUES ('shop', 'site', ${generation})`);
  };
  const failing = (): void => {
    add(1);
    throw new Error("half-way");
  };
  expect(() => {
    transaction(database, failing);
  }).toThrow("half-way");
  // As SQLite itself does on a full disk.
  const rolledBack = (): void => {
    database.exec("ROLLBACK");
    throw new Error("disk is full");
  };
  expect(() => {
    transaction(database, rolledBack);
  }).toThrow("disk is full");
  transaction(database, () => {
    add(2);
  });
  expect(database.prepare("SELECT generation FROM generations").all()).toEqual([{ generation: 2 }]);
  database.close();
});
