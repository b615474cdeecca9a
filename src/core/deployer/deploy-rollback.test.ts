import { expect, test } from "@jest/globals";
import type { Deployment } from "../../agent/protocol.ts";
import { appConfig } from "../config/schema.ts";
import { chooseRollbackTarget, rollbackEdit } from "./deploy-rollback.ts";

const digest = `sha256:${"a".repeat(64)}`;

function deployed(number: number, version: string, status: Deployment["status"]): Deployment {
  return { number, version, status, app: "shop", bundle: digest, digest: "d", startedAtMs: number, by: "ana" };
}

const history = [
  deployed(6, "1.5.0", "current"),
  deployed(5, "1.5.0-rc", "failed"),
  deployed(4, "1.4.0", "good"),
  deployed(3, "1.3.0", "good"),
  deployed(2, "1.3.0", "failed"),
  deployed(1, "1.0.0", "pruned"),
];

test("by default it goes to the newest good deployment before the current, over failed ones", () => {
  expect(chooseRollbackTarget(history, undefined).number).toBe(4);
});

test("good deployments after the current are none to go back to by default", () => {
  const afterRollback = [deployed(3, "3", "good"), deployed(2, "2", "current"), deployed(1, "1", "good")];
  expect(chooseRollbackTarget(afterRollback, undefined).number).toBe(1);
});

test.each([
  ["v1.3.0", 3],
  ["1.3.0", 3],
  ["#4", 4],
  ["4", 4],
])("--to %s is #%d", (to, number) => {
  expect(chooseRollbackTarget(history, to).number).toBe(number);
});

test.each([
  ["#6", "is what serves now"],
  ["#5", "failed when it was deployed"],
  ["1.0.0", "images are gone"],
  ["9.9.9", "has no deployment 9.9.9"],
  ["#99", "has no deployment #99"],
])("--to %s is refused: %s", (to, reason) => {
  expect(() => chooseRollbackTarget(history, to)).toThrow(
    expect.objectContaining({ code: "NO_ROLLBACK_TARGET", message: expect.stringContaining(reason) }),
  );
});

test("without a good deployment there is no target, and the reason is said", () => {
  expect(() => chooseRollbackTarget([deployed(1, "1.0.0", "current")], undefined)).toThrow("#1 (1.0.0) has no good deployment before it");
  expect(() => chooseRollbackTarget([], undefined)).toThrow("nothing was deployed");
});

const now = appConfig.parse({
  host: "vps1",
  domains: ["shop.test"],
  bundle: "registry/shop@new",
  env: { LOG_LEVEL: "debug", NEW: "1" },
  drainSeconds: 60,
});

test("a rollback sets the release's settings, takes out what it did not have, and pins the accessories", () => {
  const { edit, restored, accessoriesBundle } = rollbackEdit("shop", now, { bundle: "registry/shop@old", env: { LOG_LEVEL: "info" } });
  expect(edit).toEqual({
    app: "shop",
    set: { bundle: "registry/shop@old", env: { LOG_LEVEL: "info" }, accessoriesBundle: "registry/shop@new" },
    remove: ["health", "smoke", "drainSeconds"],
  });
  expect(restored).toEqual(["bundle", "env.LOG_LEVEL", "env.NEW", "drainSeconds"]);
  expect(accessoriesBundle).toBe("registry/shop@new");
});

test("a second rollback keeps the accessories where the first left them", () => {
  const afterFirst = { ...now, bundle: "registry/shop@old", accessoriesBundle: "registry/shop@new" };
  expect(rollbackEdit("shop", afterFirst, { bundle: "registry/shop@older", env: {} }).edit.set).toMatchObject({ accessoriesBundle: "registry/shop@new" });
  const back = rollbackEdit("shop", afterFirst, { bundle: "registry/shop@new", env: {} }).edit;
  expect(back.set).toEqual({ bundle: "registry/shop@new" });
  expect(back.remove).toContain("accessoriesBundle");
});

test("host, domains and keep of the ledger's copy are not taken", () => {
  const source = { bundle: "registry/shop@old", env: {}, host: "elsewhere", domains: ["other.test"], keep: 1 };
  expect(Object.keys(rollbackEdit("shop", now, source).edit.set).sort()).toEqual(["accessoriesBundle", "bundle"]);
});

test("a copy without a bundle is refused", () => {
  expect(() => rollbackEdit("shop", now, { env: {} })).toThrow(expect.objectContaining({ code: "NO_ROLLBACK_TARGET" }));
});
