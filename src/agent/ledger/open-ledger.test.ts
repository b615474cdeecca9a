import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino, type Logger } from "pino";
import { Repairs } from "../repairs.ts";
import { openLedger } from "./open-ledger.ts";
import { Parts } from "./parts.ts";
import { Vault } from "./vault.ts";

let folder: string;
let path: string;
let told: { log: Logger; repairs: Repairs };
const logged: string[] = [];
const vault = new Vault(randomBytes(32));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ikoma-ledger-"));
  path = join(folder, "ledger.db");
  told = { log: pino({}, { write: (line: string) => logged.push(line) }), repairs: new Repairs() };
  logged.length = 0;
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function siteOfShop(by = vault): unknown {
  const database = openLedger(path, by, told);
  const found = database.prepare("SELECT app FROM parts").all();
  database.close();
  return found;
}

function aLedger(): void {
  const database = openLedger(path, vault, told);
  new Parts(database, vault).set("shop", "site", { app: "shop" });
  database.close();
}

function movedAside(): string[] {
  return readdirSync(folder).filter((name) => /^ledger\.db\.unreadable-\d{4}-\d\d-\d\dT[\d.-]+Z$/.test(name));
}

test("a sound ledger is opened as it is", () => {
  aLedger();
  expect(siteOfShop()).toEqual([{ app: "shop" }]);
  expect([...movedAside(), ...logged, ...told.repairs.all]).toEqual([]);
});

const damages: [string, (bytes: Buffer) => Buffer][] = [
  ["its beginning is gone", (bytes) => Buffer.concat([Buffer.alloc(100), bytes.subarray(100)])],
  ["its pages are garbage", (bytes) => Buffer.concat([bytes.subarray(0, 4096), randomBytes(bytes.length - 4096)])],
  ["it is cut off", (bytes) => bytes.subarray(0, 8192)],
  ["it is something else", () => Buffer.from("this was a database once")],
];

test.each(damages)("one that is damaged (%s) is moved aside as it was, and a new one begun", (_what, damage) => {
  aLedger();
  const damaged = damage(readFileSync(path));
  writeFileSync(path, damaged);
  expect(siteOfShop()).toEqual([]);
  const [aside = ""] = movedAside();
  expect(readFileSync(join(folder, aside)).equals(damaged)).toBe(true);
  expect(logged.join("")).toMatch(/"level":50.*cannot be read; it was moved aside/);
  expect(told.repairs.all).toMatchObject([{ message: expect.stringContaining(aside) as unknown }]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(siteOfShop()).toEqual([]);
  expect(movedAside()).toHaveLength(1);
});

test("one that another key has sealed is moved aside", () => {
  aLedger();
  expect(siteOfShop(new Vault(randomBytes(32)))).toEqual([]);
  expect(told.repairs.all[0]?.message).toContain("the host's key is not the one that sealed it");
});

test("one that a newer agent has written is left where it is", () => {
  const newer = openLedger(path, vault, told);
  newer.exec("PRAGMA user_version = 99");
  newer.close();
  expect(() => openLedger(path, vault, told)).toThrow(expect.objectContaining({ code: "JOURNAL_NEWER" }));
  expect(movedAside()).toEqual([]);
});
