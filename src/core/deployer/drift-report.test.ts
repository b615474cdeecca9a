import { expect, test } from "@jest/globals";
import { IkomaError } from "../errors.ts";
import type { ReadFinding, ReadReport } from "../engine/engine-run.ts";
import { driftReport, likelyRepair } from "./drift-report.ts";

function read(host: string, app: string, type: string, found: ReadFinding): ReadReport {
  const urn = `urn:pulumi:prod::shop::ikoma:index:App$ikoma:vps:${type}::${app}`;
  return { urn, host, app, found };
}

const asApplied: ReadFinding = { state: "present", drift: [] };
const away: ReadFinding = { state: "unread", error: new IkomaError("HOST_UNREACHABLE", "vps2 does not answer.") };
const image = { path: "services.web.image", message: "web: another", wanted: "a", found: "b" };

test("differences and what is unknown are sorted by host, app and part; nothing is left out", () => {
  const report = driftReport("prod", [
    read("vps2", "blog", "Release", away),
    read("vps1", "shop", "Site", { state: "gone" }),
    read("vps1", "shop", "Release", { state: "present", drift: [image] }),
    read("vps1", "shop", "Accessories", asApplied),
  ]);
  expect(report).toMatchObject({ stack: "prod", state: "drifted", checked: 3 });
  const shop = { host: "vps1", app: "shop", name: "shop" };
  expect(report.differences).toEqual([
    { ...shop, part: "release", ...image, repair: likelyRepair("release", image.path) },
    { ...shop, part: "site", path: "", message: "it is gone from the host", repair: "makes it anew" },
  ]);
  const unknown = { host: "vps2", app: "blog", part: "release", name: "blog", code: "HOST_UNREACHABLE" };
  expect(report.unreadable).toMatchObject([{ ...unknown, message: "vps2 does not answer." }]);
});

test.each([
  ["clean", [asApplied, asApplied]],
  ["unknown", [asApplied, away]],
  ["drifted", [away, { state: "gone" }]],
  ["clean", []],
] as const)("the state is %s", (state, found) => {
  expect(
    driftReport(
      "prod",
      found.map((each, index) => read("vps1", `app${index}`, "Release", each)),
    ).state,
  ).toBe(state);
});

test.each([
  ["release", "services.web", /^starts web again; nothing else restarts$/],
  ["release", "services.web.state", /^starts web again/],
  ["release", "services.web.networks", /^attaches web again$/],
  ["release", "services.web.environment.MODE", /anew beside this one \(no downtime\)/],
  ["release", "bundle", /^adopts what runs/],
  ["release", "routes", /^tells the edge again; nothing restarts$/],
  ["accessories", "services.db.image", /^recreates db \(short downtime\); its volumes stay$/],
  ["accessories", "volumes.data", /^refuses: .*--recreate-volume data/],
  ["site", "configuration", /^tells the edge again/],
  ["bundle", "images", /^pulls/],
  ["agent", "version", /ikoma host bootstrap/],
])("what an apply does about %s %s", (part, path, words) => {
  expect(likelyRepair(part, path)).toMatch(words);
});
