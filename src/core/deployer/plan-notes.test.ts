import { expect, test } from "@jest/globals";
import type { PlannedOperation } from "../engine/plan.ts";
import type { DeployPlanEntry } from "./deploy-plan.ts";
import { planNotes } from "./plan-notes.ts";

function entry(app: string, part: string, operation: PlannedOperation): DeployPlanEntry {
  return { urn: `${app}/${part}`, app, part, name: app, operation, changes: [], drift: [], services: {} };
}

test("an ordinary deploy needs no word about data", () => {
  const parts = ["bundle", "accessories", "release", "site"];
  for (const operation of ["create", "update", "same"] as const)
    expect(planNotes({ entries: parts.map((part) => entry("shop", part, operation)) })).toEqual([]);
});

test("a plan that takes an app away, moves it or renames it says what becomes of its data", () => {
  const gone = ["accessories", "release"].map((part) => entry("shop", part, "delete"));
  expect(planNotes({ entries: gone })).toEqual([expect.stringMatching(/volumes of shop stay.*ikoma app purge shop/)]);
  expect(
    planNotes({ entries: [entry("shop", "accessories", "replace"), entry("shop", "release", "replace")] }),
  ).toEqual([expect.stringMatching(/data of shop does not move/)]);
  expect(planNotes({ entries: [entry("store", "release", "create"), entry("shop", "release", "delete")] })).toEqual([
    expect.stringMatching(/If store is shop renamed: .*empty volumes/),
  ]);
});

test("a plan says that a volume of another name begins empty, while the data stays in the old one", () => {
  const change = (path: string, kind: "add" | "delete" | "update") => ({ path, kind, replaces: false });
  const notes = (...changes: DeployPlanEntry["changes"]): string[] =>
    planNotes({ entries: [{ ...entry("shop", "accessories", "update"), changes }] });
  const empty = /^shop no longer uses the volume pgdata: it stays, with its data, and db-data begins empty.*old name/;
  expect(notes(change("volumes.pgdata", "delete"), change("volumes.db-data", "add"))).toEqual([
    expect.stringMatching(empty),
  ]);
  for (const kind of ["add", "delete", "update"] as const)
    expect(notes(change('volumes["pg.data"].name', kind))).toEqual([
      expect.stringMatching(/^shop no longer uses the volume that pg\.data was/),
    ]);
  expect(notes(change("volumes.uploads", "add"))).toEqual([]);
  expect(notes(change("volumes.cache", "delete"))).toEqual([]);
  expect(notes(change("services.db.image", "update"))).toEqual([]);
});

test("a plan says where secrets are from, while a rollback has brought them back and when that ends", () => {
  const release = entry("shop", "release", "same");
  expect(planNotes({ entries: [{ ...release, secretsOf: 42 }] })).toEqual([
    expect.stringMatching(/secrets of shop are those of #42.*again after `ikoma deploy apply --bundle REF`/),
  ]);
  const changes = [{ path: "secretsOf", kind: "delete" as const, old: 42, replaces: false }];
  expect(planNotes({ entries: [{ ...release, operation: "update", changes }] })).toEqual([
    expect.stringMatching(/secrets of shop are what `ikoma:secrets` says, no longer those of #42/),
  ]);
});

test("a plan says that an app is away where a release has to end before the next one starts", () => {
  const release = { ...entry("shop", "release", "update"), strategy: "replace" };
  expect(planNotes({ entries: [{ ...release, services: { web: "gives-way" } }] })).toEqual([
    expect.stringMatching(/^shop is away for a moment.*up to 10 s/),
  ]);
  expect(planNotes({ entries: [{ ...release, services: { web: "keeps-running" } }] })).toEqual([]);
});

test("a plan says which migrations stay in the database although the bundle does not know them", () => {
  const migration = { ...entry("shop", "migration", "same"), migrations: { runs: [], stays: ["2_b", "3_c"] } };
  expect(planNotes({ entries: [migration] })).toEqual([
    "The database of shop keeps what it was given by 2_b, 3_c: nothing is run backwards.",
  ]);
});

test("a plan says how old the newest verified backup is, and whether the deploy goes on with it", () => {
  const nowMs = Date.parse("2026-11-26T12:00:00Z");
  const note = (minutesAgo: number | undefined): string[] => {
    const takenAtMs = minutesAgo === undefined ? undefined : nowMs - minutesAgo * 60_000;
    const backup = { takenAtMs, maxAgeMinutes: 60 };
    return planNotes({ entries: [{ ...entry("shop", "backup", "update"), backup }] }, nowMs);
  };
  expect(note(35)).toEqual([expect.stringMatching(/of shop is 35 min old: the deploy goes on with it/)]);
  expect(note(61)).toEqual([expect.stringMatching(/is 61 min old: one is taken and verified before the release/)]);
  expect(note(-5)).toEqual([expect.stringContaining("one is taken")]);
  expect(note(undefined)).toEqual([expect.stringMatching(/no verified backup .* of shop: one is taken/)]);
  const backup = { takenAtMs: nowMs, maxAgeMinutes: 60 };
  expect(planNotes({ entries: [{ ...entry("shop", "backup", "same"), backup }] }, nowMs)).toEqual([]);
});
