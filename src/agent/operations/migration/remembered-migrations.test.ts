import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { hasRun, remember, rememberedMigrations, rememberRestored, rememberRun } from "./remembered-migrations.ts";

const entry = { name: "x", phase: "contract" as const, state: "applied" as const, adopted: false, sha256: undefined };
let on: TestHost;

beforeEach(async () => {
  on = await TestHost.create();
  remember(on.host, "shop", [
    { ...entry, version: "1" },
    { ...entry, version: "2" },
    { ...entry, version: "3" },
  ]);
  rememberRun(on.host, "shop", "a program");
});

afterEach(async () => {
  await on.dispose();
});

const versions = (): string[] => rememberedMigrations(on.host, "shop").map(({ version }) => version);

test.each([
  ["2", ["1", "2"]],
  [undefined, []],
  ["3", ["1", "2", "3"]],
])("a database that is restored to %p has what it had then", (after, left) => {
  rememberRestored(on.host, "shop", { before: "3", after, isOlderThanRelease: false });
  expect(versions()).toEqual(left);
  expect(hasRun(on.host, "shop", "a program")).toBe(true);
});

test("of another database of the app nothing is known by this", () => {
  rememberRestored(on.host, "shop", { before: undefined, after: undefined, isOlderThanRelease: false });
  rememberRestored(on.host, "shop", { before: "2", after: "1", isOlderThanRelease: false });
  expect(versions()).toEqual(["1", "2", "3"]);
});

test("nor of one elsewhere, whatever an accessory goes back to", () => {
  remember(on.host, "elsewhere", [{ ...entry, version: "3" }], "7/shop");
  rememberRestored(on.host, "elsewhere", { before: "3", after: "1", isOlderThanRelease: false });
  expect(rememberedMigrations(on.host, "elsewhere")).toMatchObject([{ version: "3" }]);
});

test("a program that migrates is run again where the backup is older than the release that serves", () => {
  rememberRestored(on.host, "shop", { before: "3", after: "3", isOlderThanRelease: true });
  expect(hasRun(on.host, "shop", "a program")).toBe(false);
});

test("of an app without migrations nothing is kept", () => {
  rememberRestored(on.host, "other", { before: "3", after: "2", isOlderThanRelease: true });
  expect(on.host.parts.has("other", "migration")).toBe(false);
});
