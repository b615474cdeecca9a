import { beforeEach, describe, expect, test } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { operations } from "../protocol/operations.ts";
import { deployment } from "../protocol/views.ts";
import { openDatabase } from "./database.ts";
import { Deployments, publicView } from "./deployments.ts";
import type { ReleaseInput } from "./deployments.ts";
import { Vault } from "./vault.ts";

let database: DatabaseSync;
let deployments: Deployments;

beforeEach(() => {
  database = openDatabase(":memory:");
  deployments = new Deployments(database, new Vault(randomBytes(32)));
});

function input(version: string, app = "shop", note?: string): ReleaseInput {
  const image = `web@sha256:${"1".repeat(64)}`;
  return operations["release.apply"].input.parse({
    spec: {
      app,
      version,
      bundle: `sha256:${"a".repeat(64)}`,
      services: { web: { kind: "web", image, environment: { PASSWORD: "hunter22" } } },
    },
    source: { bundle: version },
    redact: ["hunter22"],
    ...(note === undefined ? {} : { note }),
  });
}

/** A deployment that came to serve. */
function deploy(version: string, app = "shop"): number {
  const { number } = deployments.begin(input(version, app), version, "anna");
  deployments.makeCurrent(app, number);
  return number;
}

function statuses(app = "shop"): string[] {
  return deployments.history(app, 100).map((each) => `${each.number} ${each.status}`);
}

test("deployments are numbered by app, and failed ones count", () => {
  expect(deployments.begin(input("v1"), "d", "anna").number).toBe(1);
  deployments.fail("shop", 1, "it crashed");
  expect(deploy("v2")).toBe(2);
  expect(deploy("b1", "blog")).toBe(1);
  expect(statuses()).toEqual(["2 current", "1 failed"]);
});

test("a deployment is told as it was begun, free of what only the agent knows", () => {
  const asked = { ...input("v1", "shop", "rollback to #3"), rollbackTo: 3 };
  const begun = deployments.begin(asked, "digest", "anna@laptop");
  deployments.place("shop", 1, "10.9.0.0/26", [{ name: "d1-web-1", service: "web", address: "10.9.0.2", port: 80 }]);
  const view = publicView(deployments.require("shop", 1));
  expect(deployment.parse(view)).toEqual(view);
  expect(view).toMatchObject({
    number: 1,
    version: "v1",
    status: "started",
    by: "anna@laptop",
    note: "rollback to #3",
    rollbackTo: 3,
    startedAtMs: begun.startedAtMs,
  });
  expect(deployments.current("shop")).toBeUndefined();
  deployments.makeCurrent("shop", 1);
  expect(deployments.current("shop")).toMatchObject({
    subnet: "10.9.0.0/26",
    servers: [{ name: "d1-web-1", address: "10.9.0.2" }],
  });
});

describe("the current one", () => {
  test("is one for each app, whatever happens in whatever order", () => {
    const step = fc.constantFrom("begin", "switch", "fail", "retire", "prune");
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        database.exec("DELETE FROM deployments");
        let last = 0;
        for (const each of steps) {
          if (each === "begin") last = deployments.begin(input("v"), "d", "anna").number;
          if (each === "switch" && last > 0) deployments.makeCurrent("shop", last);
          if (each === "fail" && last > 0) deployments.fail("shop", last, "no");
          if (each === "retire") deployments.retireCurrent("shop");
          if (each === "prune") deployments.prune("shop", 2);
          const current = deployments.history("shop", 100).filter((found) => found.status === "current");
          expect(current.length).toBeLessThanOrEqual(1);
          expect(deployments.current("shop")?.number).toBe(current[0]?.number);
          if (each === "switch" && last > 0) expect(current[0]?.number).toBe(last);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("cannot be two even if the code tried", () => {
    deploy("v1");
    deployments.begin(input("v2"), "d", "anna");
    expect(() => {
      database.exec("UPDATE deployments SET status = 'current'");
    }).toThrow("UNIQUE");
  });

  test("never fails after it came to serve", () => {
    deploy("v1");
    deployments.fail("shop", 1, "too late");
    expect(statuses()).toEqual(["1 current"]);
  });

  test("is good once it serves no more", () => {
    deploy("v1");
    deployments.retireCurrent("shop");
    expect(statuses()).toEqual(["1 good"]);
  });
});

describe("the withdrawn list", () => {
  test("never has what serves on it, whatever is deployed, rolled back to or taken back", () => {
    const step = fc.record({
      what: fc.constantFrom("deploy", "back", "bad"),
      bundle: fc.constantFrom("a", "b", "c"),
      configuration: fc.constantFrom("x", "y"),
      to: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        database.exec("DELETE FROM deployments; DELETE FROM withdrawn");
        for (const { what, bundle, configuration, to } of steps) {
          const served = deployments.history("shop", 100).filter((each) => each.status === "good");
          const target = what === "back" ? served[to % Math.max(1, served.length)] : undefined;
          const given = input("v");
          const spec = { ...given.spec, bundle: target?.bundle ?? `sha256:${bundle.repeat(64)}` };
          const digest = target?.digest ?? bundle + configuration;
          const { number } = deployments.begin({ ...given, spec, rollbackTo: target?.number }, digest, "anna");
          if (what === "bad") deployments.takeBack("shop", number, "it failed");
          else deployments.makeCurrent("shop", number);
          expect(deployments.current("shop")?.withdrawn).toBeUndefined();
        }
      }),
      { numRuns: 60 },
    );
  });

  test("knows the rollbacks of a ledger from before there was one by their notes", () => {
    const path = join(tmpdir(), `ikoma-ledger-${randomBytes(6).toString("hex")}.db`);
    const old = openDatabase(path);
    old.exec(
      "DROP TABLE outbox; DROP TABLE outbox_stream; DROP TABLE volumes; DROP TABLE withdrawn; ALTER TABLE deployments DROP COLUMN rollback_to; PRAGMA user_version = 1",
    );
    old.exec(`INSERT INTO deployments (app, number, version, bundle, digest, status, started_ms, note, by, sealed)
      VALUES ('shop', 4, 'v1', 'b', 'd', 'current', 0, 'rollback to #12', 'anna', x'')`);
    old.close();
    const opened = openDatabase(path);
    const migrated = new Deployments(opened, new Vault(randomBytes(32)));
    expect(migrated.require("shop", 4)).toMatchObject({ rollbackTo: 12 });
    opened.close();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
  });
});

describe("what a deployment was given", () => {
  test("is kept sealed", () => {
    deploy("v1");
    expect(deployments.input("shop", 1)?.spec.services["web"]?.environment).toEqual({ PASSWORD: "hunter22" });
    const everything = JSON.stringify(
      database.prepare("SELECT *, CAST(sealed AS TEXT) AS text FROM deployments").all(),
    );
    expect(everything).not.toContain("hunter22");
  });

  test("is replaced where the release is the same", () => {
    deploy("v1");
    deployments.renew("shop", 1, { ...input("v1"), keep: 2 });
    expect(deployments.input("shop", 1)?.keep).toBe(2);
  });

  test("is forgotten with all but the newest good ones, and with the failed", () => {
    for (const version of ["v1", "v2", "v3"]) deploy(version);
    deployments.begin(input("v4"), "d", "anna");
    deployments.fail("shop", 4, "it crashed");
    deploy("v5");
    expect(deployments.prune("shop", 2).map((each) => each.number)).toEqual([1]);
    expect(statuses()).toEqual(["5 current", "4 failed", "3 good", "2 good", "1 pruned"]);
    expect([1, 2, 3, 4, 5].filter((number) => deployments.input("shop", number) !== undefined)).toEqual([2, 3, 5]);
    expect(deployments.kept("shop").map((each) => each.number)).toEqual([2, 3, 5]);
    expect(deployments.prune("shop", 2)).toEqual([]);
  });

  test("keeping none prunes every good one, never the current", () => {
    deploy("v1");
    deploy("v2");
    deployments.prune("shop", 0);
    expect(statuses()).toEqual(["2 current", "1 pruned"]);
  });
});

test("what a restart cut off has failed", () => {
  deploy("v1");
  deployments.begin(input("v2"), "d", "anna");
  deployments.begin(input("b1", "blog"), "d", "anna");
  deployments.failStarted("the agent was restarted");
  expect(statuses()).toEqual(["2 failed", "1 current"]);
  expect(deployments.find("blog", 1)).toMatchObject({ status: "failed", note: "the agent was restarted" });
});

test("a deployment that is not there is a defect", () => {
  expect(deployments.find("shop", 7)).toBeUndefined();
  expect(() => deployments.require("shop", 7)).toThrow("not in the ledger");
});
