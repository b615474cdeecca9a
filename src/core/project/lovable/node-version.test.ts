import { expect, test } from "@jest/globals";
import { chooseNode } from "./node-version.ts";

test.each([
  [undefined, 24],
  [">=18", 24],
  [">=18 <21", 20],
  ["^20.0.0", 20],
  ["20.x", 20],
  ["18 || 20", 20],
  ["^20 || >=22", 24],
  ["<=22", 22],
  ["*", 24],
])("engines.node %s builds generation 1 with %s", (engines, major) => {
  expect(chooseNode({ engines, versionFile: undefined }, 1).major).toBe(major);
});

test("a version file goes before engines; generation 2 gets what TanStack Start needs, and is told", () => {
  expect(chooseNode({ engines: ">=18", versionFile: "v20.11.1\n" }, 1)).toEqual({
    major: 20,
    reason: "its version file says v20.11.1",
  });
  expect(chooseNode({ engines: undefined, versionFile: "20" }, 2)).toMatchObject({
    major: 24,
    reason: expect.stringContaining("needs 22"),
  });
});

test.each(["lts/-1", "lts/jod", "node"])("the version file's %s names no version", (versionFile) => {
  expect(chooseNode({ engines: undefined, versionFile }, 1).major).toBe(24);
});
