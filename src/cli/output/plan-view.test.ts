import { expect, test } from "@jest/globals";
import type { DeployPlan, DeployPlanEntry } from "../../core/deployer/deploy-plan.ts";
import { colorsFor } from "./colors.ts";
import { renderPlan } from "./plan-view.ts";

const plain = colorsFor({}, { color: false });
const image = (letter: string): string => `registry.test/shop@sha256:${letter.repeat(64)}`;

function entry(part: string, more: Partial<DeployPlanEntry>): DeployPlanEntry {
  return {
    urn: `urn:${part}`,
    app: "shop",
    part,
    name: "shop",
    operation: "same",
    changes: [],
    drift: [],
    services: {},
    ...more,
  };
}

function render(...entries: DeployPlanEntry[]): string {
  const plan: DeployPlan = { stack: "prod", entries };
  return renderPlan(plan, plain);
}

test("a plan made offline says at each resource that its drift is not known, and does not say that nothing changes", () => {
  const text = render(entry("release", { driftUnknown: true, services: { web: "keeps-running" } }));
  expect(text).toBe(`shop
  = release: unchanged
      drift unknown (offline: the host was not asked)
      web: keeps running

Nothing changes, as far as is known: drift unknown.
`);
});

test("an app that goes is told with what becomes of its data", () => {
  expect(render(entry("accessories", { operation: "delete", services: { db: "stops" } }))).toMatch(
    /\nnote The volumes of shop stay on its host, with their data; `ikoma app purge shop` deletes them\.\nprod: 1 to delete\./,
  );
});

test("a deploy: fields, what restarts and what does not", () => {
  const text = render(
    entry("accessories", { services: { db: "keeps-running", cache: "keeps-running" } }),
    entry("release", {
      operation: "update",
      services: { web: "starts-anew", worker: "starts-anew", old: "stops" },
      changes: [
        { path: "services.web.image", kind: "update", old: image("1"), new: image("2"), replaces: false },
        { path: "services.web.environment.LOG_LEVEL", kind: "add", new: "very loud", replaces: false },
        { path: "services.old", kind: "delete", old: { image: image("1"), kind: "job" }, replaces: false },
        { path: "drainSeconds", kind: "update", old: 30, new: 5, replaces: false },
      ],
    }),
    entry("site", {}),
  );
  expect(text).toBe(`shop
  = accessories: unchanged
      cache, db: keeps running
  ~ release: new deployment
      services.web.image                  registry.test/shop@111111111111 → registry.test/shop@222222222222
      services.web.environment.LOG_LEVEL  added "very loud"
      services.old                        removed, was {image, kind}
      drainSeconds                        30 → 5
      web, worker: starts anew beside the old one, then takes over (no downtime)
      old: stops
  = site: unchanged

prod: 1 to update, 2 unchanged.
`);
});

test("of a secret only that it changes", () => {
  const changes = [
    { path: "a", kind: "update", old: "[secret]", new: "[secret]", replaces: false },
    { path: "b", kind: "add", new: "[secret]", replaces: false },
    { path: "c", kind: "update", old: "open before", new: "[secret]", replaces: false },
  ] as const;
  const text = render(entry("release", { operation: "update", changes }));
  expect(text).toContain("a  changed (secret)\n");
  expect(text).toContain("b  added (secret)\n");
  expect(text).toContain("c  changed (secret)\n");
  expect(text).not.toContain("open before");
});

test("drift is told where it was found", () => {
  expect(render(entry("release", { operation: "update", drift: ["web is not running"] }))).toContain(
    "      drift web is not running\n",
  );
});

test("a first deployment lists no fields, only what starts", () => {
  const changes = [{ path: "services", kind: "add", replaces: false }] as const;
  const text = render(entry("release", { operation: "create", changes, services: { web: "starts" } }));
  expect(text).toContain("  + release: first deployment\n      web: starts\n");
});

test("several apps, each under its name", () => {
  const text = render(
    entry("release", { app: "blog", operation: "delete" }),
    entry("release", { operation: "replace" }),
  );
  expect(text).toBe("blog\n  - release: delete\n\nshop\n  ± release: replace\n\nprod: 1 to replace, 1 to delete.\n");
});

test("nothing to do is said in words", () => {
  expect(render(entry("release", {}))).toContain("Nothing changes.");
  expect(render()).toBe("Nothing changes.\n");
});

test("long values are cut", () => {
  const changes = [
    { path: "x", kind: "update", old: "y".repeat(500), new: ["z".repeat(500)], replaces: false },
  ] as const;
  for (const line of render(entry("release", { operation: "update", changes })).split("\n"))
    expect(line.length).toBeLessThan(150);
});

test("a migration: each file that is to be run, with what was found in it", () => {
  const runs = [
    { file: "1_a", phase: "expand" as const, findings: [] },
    { file: "2_b", phase: "contract" as const, findings: ["line 3, truncate: allowed, because a cache"] },
  ];
  const changes = [{ path: 'files["2_b"]', kind: "add" as const, new: {}, replaces: false }];
  const text = render(entry("migration", { operation: "update", changes, migrations: { runs, stays: [] } }));
  expect(text).toContain(`  ~ migration: update
      runs 1_a (expand)
      runs 2_b (contract)
        line 3, truncate: allowed, because a cache
`);
  const elsewhere = { runs, stays: [], at: "shop at db.example.com:5432 as me" };
  expect(render(entry("migration", { operation: "update", migrations: elsewhere }))).toContain(`  ~ migration: update
      in shop at db.example.com:5432 as me
      runs 1_a (expand)
`);
});
