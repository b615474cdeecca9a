import { expect, test } from "@jest/globals";
import type { EngineEvent } from "../engine/engine-event.ts";
import { PlanBuilder } from "../engine/plan.ts";
import { changesAnything, describePlan, InputsCollector, type DeployPlan } from "./deploy-plan.ts";

interface Sample {
  op: string;
  part: string;
  old?: Record<string, unknown>;
  new?: Record<string, unknown>;
  diff?: Record<string, string>;
}

/** The event that the engine sends before it does something to a resource of the app `shop`. */
function before({ op, part, old, new: wanted, diff = {} }: Sample): EngineEvent {
  const state = (inputs: Record<string, unknown> | undefined) =>
    inputs === undefined ? null : { inputs: { app: "shop", ...inputs }, outputs: {}, custom: true };
  const detailedDiff = Object.fromEntries(Object.entries(diff).map(([path, diffKind]) => [path, { diffKind }]));
  const urn = `urn:pulumi:prod::ikoma-bridge::ikoma:index:App$ikoma:vps:${part}::shop`;
  return {
    type: "step",
    step: { op, urn, type: `ikoma:vps:${part}`, old: state(old), new: state(wanted), detailedDiff },
  };
}

function planOf(...samples: Sample[]): DeployPlan {
  const builder = new PlanBuilder();
  const inputs = new InputsCollector();
  for (const event of samples.map(before)) {
    builder.add(event);
    inputs.add(event);
  }
  return describePlan("prod", builder.resources, inputs);
}

const web = { image: "shop@sha256:1" };
const database = { image: "postgres@sha256:2" };

test("a change to any field of a release starts all its services anew, beside the old ones", () => {
  const plan = planOf({
    op: "update",
    part: "Release",
    old: { services: { web, worker: web } },
    new: { services: { web: { image: "shop@sha256:9" }, worker: web } },
    diff: { "services.web.image": "update" },
  });
  expect(plan.entries[0]?.services).toEqual({ web: "starts-anew", worker: "starts-anew" });
});

test("what must not run beside its successor ends first: a worker that says so, or all where the release is replaced", () => {
  const queue = { image: "shop@sha256:1", overlap: false };
  const diff = { "services.web.image": "update" };
  const update = { op: "update", part: "Release", old: { services: { web, queue } }, diff };
  const [entry] = planOf({ ...update, new: { services: { web: database, queue } } }).entries;
  expect(entry?.services).toEqual({ web: "starts-anew", queue: "gives-way" });
  const replaced = planOf({ ...update, new: { services: { web: database, queue }, strategy: "replace" } }).entries[0];
  expect(replaced).toMatchObject({ strategy: "replace", services: { web: "gives-way", queue: "gives-way" } });
  const strategy = { strategy: "add" };
  const same = planOf({ ...update, new: { services: { web, queue }, strategy: "replace" }, diff: strategy }).entries[0];
  expect(same?.services).toEqual({ web: "keeps-running", queue: "keeps-running" });
});

test("what is only noted down restarts nothing", () => {
  const diff = { keep: "update", note: "add", "source.bundle": "update" };
  const plan = planOf({ op: "update", part: "Release", old: { services: { web } }, new: { services: { web } }, diff });
  expect(plan.entries[0]?.services).toEqual({ web: "keeps-running" });
});

test("of the accessories only those that change restart; their path may be quoted", () => {
  const plan = planOf({
    op: "update",
    part: "Accessories",
    old: { services: { db: database, "my.cache": database, old: database, queue: database } },
    new: { services: { db: { image: "postgres@sha256:3" }, "my.cache": {}, fresh: database, queue: database } },
    diff: {
      "services.db.image": "update",
      'services["my.cache"].image': "delete",
      "services.old": "delete",
      "services.fresh": "add",
    },
  });
  expect(plan.entries[0]?.services).toEqual({
    old: "stops",
    db: "restarts",
    "my.cache": "restarts",
    fresh: "starts",
    queue: "keeps-running",
  });
});

test("a service whose name begins like a changed one keeps running", () => {
  const services = { db: database, dbx: database };
  const plan = planOf({
    op: "update",
    part: "Accessories",
    old: { services },
    new: { services },
    diff: { "services.db.image": "update" },
  });
  expect(plan.entries[0]?.services).toEqual({ db: "restarts", dbx: "keeps-running" });
});

test("the first deployment starts, a deletion stops", () => {
  expect(planOf({ op: "create", part: "Release", new: { services: { web } } }).entries[0]?.services).toEqual({
    web: "starts",
  });
  expect(planOf({ op: "delete", part: "Release", old: { services: { web } } }).entries[0]?.services).toEqual({
    web: "stops",
  });
});

test("parts come in the order in which they are done, whatever the engine's order", () => {
  const samples = ["Site", "Release", "Accessories", "Bundle"].map((part) => ({ op: "same", part, old: {}, new: {} }));
  expect(planOf(...samples).entries.map((entry) => entry.part)).toEqual(["bundle", "accessories", "release", "site"]);
});

test("a plan of nothing but unchanged resources changes nothing", () => {
  expect(
    changesAnything(planOf({ op: "same", part: "Release", old: { services: { web } }, new: { services: { web } } })),
  ).toBe(false);
  expect(changesAnything(planOf({ op: "delete", part: "Site", old: {} }))).toBe(true);
});

test("a bundle that comes for the first time and that nobody has signed is told, later ones are not", () => {
  const bundle = (op: string, inputs: object) => planOf({ op, part: "Bundle", new: { bundle: "sha256:1", ...inputs } });
  expect(bundle("create", {}).entries[0]).toMatchObject({ unsigned: true });
  expect(bundle("create", { proofs: [] }).entries[0]).not.toHaveProperty("unsigned");
  expect(bundle("update", {}).entries[0]).not.toHaveProperty("unsigned");
});

test("what is made tells its inputs in one digest, but for those that only go along; of a secret that it is one", () => {
  const made = (inputs: Record<string, unknown>): string | undefined =>
    planOf({ op: "create", part: "Release", new: inputs }).entries[0]?.made;
  const first = made({ services: { web }, source: { bundle: "./a.json" } });
  expect(made({ services: { web }, source: { bundle: "./b.json" } })).toBe(first);
  expect(made({ services: { web: database } })).not.toBe(first);
  expect(planOf({ op: "update", part: "Release", old: {}, new: {} }).entries[0]).not.toHaveProperty("made");
});

test("what takes the place of another one is told by what it will be, and its services start there", () => {
  const old = { services: { web } };
  const wanted = { services: { web: database } };
  const [entry] = planOf(
    { op: "create-replacement", part: "Release", old, new: wanted },
    { op: "replace", part: "Release", old, new: wanted },
    { op: "delete-replaced", part: "Release", old },
  ).entries;
  const created = planOf({ op: "create", part: "Release", new: wanted }).entries[0];
  expect(entry).toMatchObject({ operation: "replace", services: { web: "starts" }, made: created?.made });
});
