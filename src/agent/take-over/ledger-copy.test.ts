import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { copyLedger, removeLedger, restoreLedger } from "./ledger-copy.ts";

let folder: string;
let ledger: string;
let copy: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-copy-"));
  [ledger, copy] = [join(folder, "ledger.db"), join(folder, "before.db")];
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function open(): DatabaseSync {
  const database = new DatabaseSync(ledger);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS apps (name TEXT) STRICT");
  return database;
}

function apps(path: string): unknown[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database
      .prepare("SELECT name FROM apps")
      .all()
      .map((row) => row["name"]);
  } finally {
    database.close();
  }
}

test("a copy has what was committed, though another process has the ledger open and is writing", () => {
  const writer = open();
  writer.exec("INSERT INTO apps VALUES ('shop'); BEGIN; INSERT INTO apps VALUES ('half')");
  writeFileSync(`${copy}.new`, "of an attempt that was cut off");
  copyLedger(ledger, copy);
  writer.close();
  expect(apps(copy)).toEqual(["shop"]);
  expect(readdirSync(folder)).not.toContain("before.db.new");
});

test("a restored copy is all that is left, whatever SQLite kept beside the ledger", () => {
  const before = open();
  before.exec("INSERT INTO apps VALUES ('shop')");
  copyLedger(ledger, copy);
  // Not closed: what is written stays in the log beside the ledger, as after a kill.
  before.exec("INSERT INTO apps VALUES ('later')");
  expect(readdirSync(folder)).toContain("ledger.db-wal");
  restoreLedger(copy, ledger);
  expect(apps(ledger)).toEqual(["shop"]);
  expect(readdirSync(folder)).not.toContain("before.db");
  before.close();
});

test("a removed ledger leaves nothing, and need not be there", () => {
  open().close();
  removeLedger(ledger);
  removeLedger(ledger);
  expect(readdirSync(folder)).toEqual([]);
});

test("a damaged ledger is left to its next start", () => {
  writeFileSync(ledger, "no database at all, and longer than the header of one".repeat(20));
  expect(copyLedger(ledger, copy)).toBe(false);
  expect(readdirSync(folder)).toEqual(["ledger.db"]);
});
