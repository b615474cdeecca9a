import { expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";

const root = join(import.meta.dirname, "../..");
const versions = z.record(z.string(), z.string());
const manifest = z
  .object({ dependencies: versions, devDependencies: versions, overrides: versions })
  .parse(JSON.parse(readFileSync(join(root, "package.json"), "utf8")));
const page = readFileSync(join(root, "docs/dependencies.md"), "utf8");
const rows = page.split("\n").filter((line) => line.startsWith("| `"));

test("every dependency says why it is there, and none that is gone does", () => {
  const described = rows.flatMap((row) =>
    [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );
  expect(described.toSorted()).toEqual(Object.keys(manifest.dependencies).toSorted());
});

test("so does every one for development", () => {
  const named = new Set([...page.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  const silent = Object.keys(manifest.devDependencies).filter(
    (name) => !named.has(name) && !name.startsWith("@types/"),
  );
  expect(silent).toEqual([]);
});
