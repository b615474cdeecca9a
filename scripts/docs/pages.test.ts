import { expect, test } from "@jest/globals";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorTable } from "../../src/core/errors.ts";
import { generatedPages } from "./pages.ts";

const root = join(import.meta.dirname, "../..");

test("every page that is made from the code is up to date: run `node scripts/generate-docs.ts`", async () => {
  const pages = await generatedPages();
  const stale: string[] = [];
  for (const [path, text] of pages) {
    if ((await readFile(join(root, path), "utf8").catch(() => undefined)) !== text) stale.push(path);
  }
  expect(stale).toEqual([]);
});

test("they hold what they are for", async () => {
  const pages = await generatedPages();
  const errors = pages.get("docs/errors.md") ?? "";
  expect(Object.keys(errorTable).filter((code) => !errors.includes(`| \`${code}\` |`))).toEqual([]);
  const exitCodes = Object.values(errorTable).map(({ exitCode }) => exitCode);
  expect(exitCodes.filter((code) => !errors.includes(`\n| ${code} | `))).toEqual([]);
  expect(pages.get("docs/reference/cli.md")).toContain("## `ikoma deploy apply`");
  expect(pages.get("docs/reference/cli.md")).toContain("## `ikoma status`");
  expect(pages.get("docs/reference/configuration.md")).toContain(
    "| `health.timeoutSeconds` | number | `30` | How long all services together may take to become healthy. |",
  );
  expect(pages.get("docs/reference/compose-extension.md")).toContain(
    "| `kind` | `web`, `worker`, `job`, `accessory` |",
  );
  expect(JSON.parse(pages.get("docs/reference/stack-config.schema.json") ?? "")).toMatchObject({
    properties: { config: { properties: { "ikoma:apps": { additionalProperties: { required: ["host"] } } } } },
  });
});

test("no setting is without a description", async () => {
  const pages = await generatedPages();
  const undescribed = [...pages].flatMap(([path, text]) =>
    text.split("\n").flatMap((line) => (/^\| `[\w.[\]]+` \|.*\|\s*\|$/.test(line) ? [`${path}: ${line}`] : [])),
  );
  expect(undescribed).toEqual([]);
});
