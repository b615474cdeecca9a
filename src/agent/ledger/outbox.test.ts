import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { DatabaseSync } from "node:sqlite";
import { hostEventNumber } from "../../../test/rigs/api-link.ts";
import { openDatabase } from "./database.ts";
import { Journal } from "./journal.ts";
import { Outbox } from "./outbox.ts";

let database: DatabaseSync;
let outbox: Outbox;

beforeEach(() => {
  database = openDatabase(":memory:");
  outbox = new Outbox(database);
});

afterEach(() => {
  database.close();
});

function add(...numbers: number[]): void {
  for (const number of numbers) outbox.add(hostEventNumber(number));
}

const waiting = (): string[] => (outbox.chunk()?.events ?? []).map(({ message }) => message);

test("keeps events under their numbers until the API has them", () => {
  expect(outbox.chunk()).toBeUndefined();
  add(1, 2, 3);
  expect(outbox.chunk()).toMatchObject({ stream: outbox.stream, first: 1 });
  expect(outbox.settle(2)).toBe(false);
  expect(outbox.chunk()).toMatchObject({ first: 3 });
  outbox.settle(3);
  add(4);
  expect(outbox.chunk()).toMatchObject({ first: 4 });
});

test("goes on with the same numbers after a restart", () => {
  add(1, 2);
  const { stream } = outbox;
  outbox = new Outbox(database);
  add(3);
  expect(outbox.stream).toBe(stream);
  expect(waiting()).toEqual(["step 1", "step 2", "step 3"]);
});

test("is bounded: the oldest go, and the number of the first that is left tells it", () => {
  database.exec("BEGIN");
  for (let number = 1; number <= 10_005; number++) add(number);
  database.exec("COMMIT");
  expect(outbox.chunk()).toMatchObject({ first: 6 });
});

test("that was put back to an earlier day is numbered anew, so that nothing is taken for known", () => {
  add(1, 2);
  const { stream } = outbox;
  expect(outbox.settle(7)).toBe(true);
  expect(outbox.stream).not.toBe(stream);
  expect(outbox.chunk()).toMatchObject({ first: 1 });
  expect(waiting()).toEqual(["step 1", "step 2"]);
});

test("gets what the journal gets, with whose it is and how it ended, in the same transaction", () => {
  const journal = new Journal(database, outbox);
  journal.begin("key-1", "release.apply", "shop", "ann");
  journal.addEvent("key-1", { atMs: 1, type: "log", name: "web", message: "hello" });
  expect(() => {
    journal.atOnce(() => {
      journal.fail("key-1", "failed", { code: "HOOK_FAILED", message: "no", hint: "h", details: {} }, 2);
      throw new Error("the disk is full");
    });
  }).toThrow("the disk is full");
  journal.fail("key-1", "failed", { code: "HOOK_FAILED", message: "no", hint: "h", details: {} }, 2);
  const whose = { operation: "key-1", kind: "release.apply", app: "shop", by: "ann" };
  expect(outbox.chunk()?.events).toEqual([
    { ...whose, atMs: 1, type: "log", name: "web", message: "hello" },
    { ...whose, atMs: expect.any(Number), type: "ended", name: "failed", message: "HOOK_FAILED: no" },
  ]);
});
