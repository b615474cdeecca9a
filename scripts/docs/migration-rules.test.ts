import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { allowableRules } from "../../src/core/migrations/lint/lint-migration.ts";

test("the guide to migrations names every rule that a file can lift", () => {
  const guide = readFileSync(join(import.meta.dirname, "../../docs/guides/migrations.md"), "utf8");
  expect(allowableRules.filter((rule) => !guide.includes(`\`${rule}\``))).toEqual([]);
});
