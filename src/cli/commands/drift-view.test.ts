import { expect, test } from "@jest/globals";
import type { DriftReport } from "../../core/deployer/drift-report.ts";
import { colorsFor } from "../output/colors.ts";
import { renderDrift } from "./drift-view.ts";

const colors = colorsFor({ isTTY: false }, { color: false });
const clean: DriftReport = { stack: "prod", state: "clean", checked: 4, differences: [], unreadable: [] };
const shop = { host: "vps1", app: "shop", name: "shop" };
const away = {
  host: "vps2",
  app: "blog",
  name: "blog",
  code: "HOST_UNREACHABLE",
  message: "vps2 does not answer.",
  hint: "Look.",
};

test("no drift is one line", () => {
  expect(renderDrift(clean, colors)).toBe("no drift: 4 resources of prod compared, all as they were applied.");
});

test("a stack of which nothing was applied is not called free of drift", () => {
  expect(renderDrift({ ...clean, checked: 0 }, colors)).toBe(
    "Nothing of prod was applied yet: there is nothing to compare.",
  );
});

test("differences are a table, with what an apply does and the next command", () => {
  const message = `web: the container runs web@sha256:${"1".repeat(64)}`;
  const differences = [{ ...shop, part: "release", path: "services.web.image", message, repair: "deploys it anew" }];
  expect(renderDrift({ ...clean, state: "drifted", differences }, colors)).toBe(
    [
      "HOST  APP   RESOURCE  PATH                DIFFERENCE                                       APPLY",
      "vps1  shop  release   services.web.image  web: the container runs web@sha256:111111111111  deploys it anew",
      "",
      "drift: 1 difference; 4 resources of prod compared.",
      "",
      "next:",
      "  ikoma deploy apply -s prod",
    ].join("\n"),
  );
});

test("a host that is away is told once for all of its resources, and is not called clean", () => {
  const unreadable = ["release", "site"].map((part) => ({ ...away, part }));
  expect(renderDrift({ ...clean, state: "unknown", checked: 2, unreadable }, colors)).toBe(
    [
      "vps2: unknown: cannot be read (blog's release, blog's site)",
      "  HOST_UNREACHABLE vps2 does not answer.",
      "  next: Look.",
      "",
      "unknown: 2 resources of prod compared, none differs; the rest cannot be read.",
    ].join("\n"),
  );
});
