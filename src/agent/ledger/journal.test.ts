import { beforeEach, describe, expect, test } from "@jest/globals";
import type { DatabaseSync } from "node:sqlite";
import { openDatabase } from "./database.ts";
import { Journal } from "./journal.ts";

let database: DatabaseSync;
let journal: Journal;

beforeEach(() => {
  database = openDatabase(":memory:");
  journal = new Journal(database);
});

const event = { atMs: 1, type: "step", name: "start", message: "web" } as const;
const error = { code: "RELEASE_CRASHED", message: "it crashed", hint: "read the log", details: { exitCode: 1 } };

test("an operation is told as far as it has come", () => {
  journal.begin("key-1", "release.apply", "shop", "anna");
  expect(journal.find("key-1")).toMatchObject({ state: "running", phase: "accepted", by: "anna", number: undefined });
  journal.enter("key-1", "gating");
  journal.setNumber("key-1", 7);
  expect(journal.running()).toMatchObject([
    { key: "key-1", phase: "gating", number: 7, view: { state: "running", phase: "gating" } },
  ]);
  journal.succeed("key-1", { number: 7 }, 3);
  expect(journal.find("key-1")?.view).toEqual({
    key: "key-1",
    kind: "release.apply",
    app: "shop",
    state: "succeeded",
    phase: "gating",
    result: { number: 7 },
    generation: 3,
  });
  expect(journal.running()).toEqual([]);
});

test.each(["failed", "cancelled"] as const)("an operation that has %s keeps its error", (state) => {
  journal.begin("key-1", "site.apply", "shop", "anna");
  journal.fail("key-1", state, error, 4);
  expect(journal.find("key-1")?.view).toMatchObject({ state, error, generation: 4 });
});

test("a key is begun once", () => {
  journal.begin("key-1", "site.apply", "shop", "anna");
  expect(() => {
    journal.begin("key-1", "site.apply", "shop", "ben");
  }).toThrow("UNIQUE");
});

test("several entries at once are there together or not at all", () => {
  journal.begin("key-1", "site.apply", "shop", "anna");
  const failing = (): void => {
    journal.succeed("key-1", {}, 1);
    throw new Error("cut off");
  };
  expect(() => {
    journal.atOnce(failing);
  }).toThrow("cut off");
  expect(journal.find("key-1")?.state).toBe("running");
});

describe("events", () => {
  test("are numbered from 1 without gaps, each operation's apart, and given from any number on", () => {
    expect(journal.addEvent("key-1", event)).toEqual({ seq: 1, ...event });
    expect(journal.addEvent("key-1", event).seq).toBe(2);
    expect(journal.addEvent("key-2", event).seq).toBe(1);
    expect(journal.addEvent("key-1", event).seq).toBe(3);
    expect(journal.events("key-1", 1).map((each) => each.seq)).toEqual([2, 3]);
    expect(journal.events("key-1", 3)).toEqual([]);
  });
});

describe("trimming", () => {
  test("drops the oldest ended operations with their events, and none that runs", () => {
    const begin = database.prepare(
      "INSERT INTO operations (key, kind, app, by, state, phase, started_ms) VALUES (?, 'site.apply', 'shop', 'anna', ?, 'accepted', ?)",
    );
    for (let count = 0; count < 260; count += 1) {
      begin.run(`key-${count}`, count === 3 ? "running" : "succeeded", count);
      journal.addEvent(`key-${count}`, event);
    }
    journal.trim();
    expect(journal.find("key-2")).toBeUndefined();
    expect(journal.events("key-2", 0)).toEqual([]);
    expect(journal.find("key-3")?.state).toBe("running");
    expect(journal.find("key-259")).toBeDefined();
    expect(journal.events("key-259", 0)).toHaveLength(1);
    expect(database.prepare("SELECT COUNT(*) AS count FROM operations").get()).toEqual({ count: 201 });
  });

  test("keeps the one that has just ended although the clock was put back", () => {
    const tomorrow = Date.now() + 86_400_000;
    const begin = database.prepare(
      "INSERT INTO operations (key, kind, app, by, state, phase, started_ms) VALUES (?, 'site.apply', 'shop', 'anna', 'succeeded', 'accepted', ?)",
    );
    for (let count = 0; count < 200; count += 1) begin.run(`key-${count}`, tomorrow + count);
    journal.begin("key-200", "site.apply", "shop", "anna");
    journal.succeed("key-200", {}, 1);
    journal.trim();
    expect(journal.find("key-200")?.state).toBe("succeeded");
    expect(journal.find("key-0")).toBeUndefined();
  });
});
