import { expect, test } from "@jest/globals";
import type { DeployPlan, DeployPlanEntry } from "./deploy-plan.ts";
import { planDigest, requirePlan } from "./plan-digest.ts";

const release: DeployPlanEntry = {
  urn: "urn:release",
  app: "shop",
  part: "release",
  name: "shop",
  operation: "update",
  changes: [
    { path: "services.web.image", kind: "update", old: "shop@sha256:1", new: "shop@sha256:2", replaces: false },
    { path: "drainSeconds", kind: "update", old: 30, new: 5, replaces: false },
  ],
  drift: ["web: the container was altered", "route / is gone"],
  services: { web: "starts-anew" },
};
const site: DeployPlanEntry = { ...release, urn: "urn:site", part: "site", operation: "same", changes: [], drift: [] };

const plan = (...entries: DeployPlanEntry[]): DeployPlan => ({ stack: "prod", entries });
const digest = planDigest(plan(release, site));

test("the order in which the engine told it does not matter, nor does whether the host was asked", () => {
  const { changes, drift } = release;
  const turned = { ...release, changes: changes.toReversed(), drift: drift.toReversed() };
  expect(planDigest(plan(site, turned))).toBe(digest);
  expect(planDigest(plan(release, { ...site, driftUnknown: true }))).toBe(digest);
});

test.each<[string, DeployPlan]>([
  ["another operation", plan({ ...release, operation: "replace" }, site)],
  ["another value", plan({ ...release, changes: release.changes.map((each) => ({ ...each, new: 7 })) }, site)],
  ["one field less", plan({ ...release, changes: release.changes.slice(1) }, site)],
  ["other drift", plan({ ...release, drift: ["web: the container was altered"] }, site)],
  ["one resource less", plan(release)],
  ["another resource", plan(release, { ...site, urn: "urn:other" })],
  ["something else that is made", plan({ ...release, made: "sha256:1" }, site)],
  ["another strategy", plan({ ...release, strategy: "replace" }, site)],
  ["secrets of another deployment", plan({ ...release, secretsOf: 3 }, site)],
  ["another stack", { stack: "preprod", entries: [release, site] }],
])("%s is another plan, and is refused", (_what, other) => {
  expect(planDigest(other)).not.toBe(digest);
  expect(() => {
    requirePlan(other, digest);
  }).toThrow(
    expect.objectContaining({ code: "PLAN_CHANGED", details: { approved: digest, digest: planDigest(other) } }),
  );
});

test("the plan that was approved passes; what is no digest is told apart from another plan", () => {
  expect(() => {
    requirePlan(plan(site, release), digest);
  }).not.toThrow();
  expect(() => {
    requirePlan(plan(release), "sha256:abc");
  }).toThrow(expect.objectContaining({ code: "USAGE" }));
});
