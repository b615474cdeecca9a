import { expect, test } from "@jest/globals";
import type { PlannedResource } from "../engine/plan.ts";
import { plannedMigrations } from "./planned-migrations.ts";

const file = (digit: string, more: object = {}) => ({
  sha256: digit.repeat(64),
  phase: "expand",
  findings: [],
  ...more,
});

function planned(old: object | undefined, now: object | undefined, operation: PlannedResource["operation"] = "update") {
  const resource = { operation } as PlannedResource;
  return plannedMigrations(resource, { old: old && { files: old }, new: now && { files: now } });
}

test("files that are new or not as they were come, in order, each with what was found and why it is allowed", () => {
  const findings = [
    { rule: "truncate", severity: "acknowledge", line: 3, message: "every row goes. Do not.", allowed: "a cache" },
    { rule: "unique-blocks", severity: "info", line: 4, message: "nobody can use it. Wait." },
  ];
  const now = { "3_c": file("3", { phase: "contract", findings }), "2_b": file("2"), "1_a": file("1") };
  expect(planned({ "1_a": file("1"), "2_b": "(differs on the host)" }, now)).toEqual({
    runs: [
      { file: "2_b", phase: "expand", findings: [] },
      {
        file: "3_c",
        phase: "contract",
        findings: ["line 3, truncate: allowed, because a cache", "line 4, unique-blocks: nobody can use it. Wait."],
      },
    ],
    stays: [],
  });
});

test("what the bundle does not know any more stays, also when all of it goes", () => {
  expect(planned({ "1_a": file("1"), "2_b": file("2") }, { "1_a": file("1") })).toEqual({ runs: [], stays: ["2_b"] });
  expect(planned({ "1_a": file("1") }, undefined, "delete")).toEqual({ runs: [], stays: ["1_a"] });
  expect(planned(undefined, { "1_a": file("1") }, "create").runs).toHaveLength(1);
});

test("where a database elsewhere is, as far as it is known", () => {
  const resource = { operation: "create" } as PlannedResource;
  const target = { host: "db.example.com", port: 5432, database: "shop", user: "me" };
  const inputs = { files: {}, remote: { target, url: "[secret]" } };
  expect(plannedMigrations(resource, { old: undefined, new: inputs })).toMatchObject({
    at: "shop at db.example.com:5432 as me",
  });
  expect(plannedMigrations(resource, { old: undefined, new: { files: {}, remote: {} } })).not.toHaveProperty("at");
});
