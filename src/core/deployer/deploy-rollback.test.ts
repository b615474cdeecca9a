import { expect, test } from "@jest/globals";
import type { Deployment } from "../../agent/protocol/views.ts";
import { programsOwn } from "../config/bridge-names.ts";
import { appConfig } from "../config/schema.ts";
import { chooseRollbackTarget, keptSecrets, migrationsSince, rollbackEdit, rollbackNote } from "./deploy-rollback.ts";

const digest = `sha256:${"a".repeat(64)}`;

function deployed(number: number, version: string, status: Deployment["status"], rollbackTo?: number): Deployment {
  const what = { number, version, status, app: "shop", bundle: digest, digest: `of ${version}` };
  const rollback = rollbackTo === undefined ? {} : { rollbackTo, note: `rollback to #${rollbackTo}` };
  return { ...what, startedAtMs: number, by: "ana", ...rollback };
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

test("a second rollback goes further back, not to what the first one took away", () => {
  const before = [deployed(1, "1", "good"), deployed(2, "2", "good"), deployed(3, "3", "good")];
  const once = [...before, deployed(4, "2", "current", 2)];
  expect(chooseRollbackTarget(once, undefined).number).toBe(1);
  const twice = [...before, deployed(4, "2", "good", 2), deployed(5, "1", "current", 1)];
  expect(() => chooseRollbackTarget(twice, undefined)).toThrow(
    "#5 (1), rollback to #1, has no good deployment before it",
  );
  const again = [...before, deployed(4, "2", "good", 2), deployed(5, "2", "current", 4)];
  expect(chooseRollbackTarget(again, undefined).number).toBe(1);
});

test("the same deployment again is no way back", () => {
  const same = [deployed(1, "1", "good"), deployed(2, "2", "good"), deployed(3, "2", "current")];
  expect(chooseRollbackTarget(same, undefined).number).toBe(1);
});

test("what is on the withdrawn list is gone back to only by its name", () => {
  const withdrawn = { ...deployed(2, "2", "good"), withdrawn: "it was rolled back from" };
  const past = [deployed(1, "1", "good"), withdrawn, deployed(3, "3", "current")];
  expect(chooseRollbackTarget(past, undefined).number).toBe(1);
  expect(chooseRollbackTarget(past, "#2").number).toBe(2);
});

test("a rollback says so in its note", () => {
  expect(rollbackNote(deployed(7, "1", "good"), false)).toBe("rollback to #7");
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
  expect(() => chooseRollbackTarget([deployed(1, "1.0.0", "current")], undefined)).toThrow(
    "#1 (1.0.0) has no good deployment before it",
  );
  expect(() => chooseRollbackTarget([], undefined)).toThrow("no deployment serves");
});

const now = appConfig.parse({
  host: "vps1",
  domains: ["shop.test"],
  bundle: "registry/shop@new",
  env: { LOG_LEVEL: "debug", NEW: "1" },
  drainSeconds: 60,
});

test("a rollback sets the release's settings, takes out what it did not have, and pins the accessories", () => {
  const { edit, restored, accessoriesBundle } = rollbackEdit(
    "shop",
    now,
    { bundle: "registry/shop@old", env: { LOG_LEVEL: "info" } },
    { hasAccessories: true },
  );
  expect(edit).toEqual({
    app: "shop",
    set: { bundle: "registry/shop@old", env: { LOG_LEVEL: "info" }, accessoriesBundle: "registry/shop@new" },
    remove: ["health", "smoke", "drainSeconds", "strategy"],
  });
  expect(restored).toEqual(["bundle", "env.LOG_LEVEL", "env.NEW", "drainSeconds"]);
  expect(accessoriesBundle).toBe("registry/shop@new");
});

test("a second rollback keeps the accessories where the first left them", () => {
  const afterFirst = { ...now, bundle: "registry/shop@old", accessoriesBundle: "registry/shop@new" };
  expect(
    rollbackEdit("shop", afterFirst, { bundle: "registry/shop@older", env: {} }, { hasAccessories: true }).edit.set,
  ).toMatchObject({
    accessoriesBundle: "registry/shop@new",
  });
  const back = rollbackEdit(
    "shop",
    afterFirst,
    { bundle: "registry/shop@new", env: {} },
    { hasAccessories: true },
  ).edit;
  expect(back.set).toEqual({ bundle: "registry/shop@new" });
  expect(back.remove).toContain("accessoriesBundle");
});

test("an app without accessories needs no pin for them", () => {
  const { edit, accessoriesBundle } = rollbackEdit(
    "shop",
    now,
    { bundle: "registry/shop@old", env: {} },
    { hasAccessories: false },
  );
  expect(edit.set).toEqual({ bundle: "registry/shop@old" });
  expect(edit.remove).toContain("accessoriesBundle");
  expect(accessoriesBundle).toBeUndefined();
});

test("variables that accessories are made with stay, and what is a secret by now is no variable again", () => {
  const current = appConfig.parse({ ...now, env: { PG_MEMORY: "2g", LEVEL: "debug" } });
  const source = {
    bundle: "registry/shop@old",
    env: { PG_MEMORY: "1g", PG_SLOTS: "5", TOKEN: "plain", LEVEL: "info" },
  };
  const staying = ["PG_MEMORY", "PG_SLOTS", "TOKEN"];
  const { edit, restored, left } = rollbackEdit("shop", current, source, { hasAccessories: true, staying });
  expect(edit.set["env"]).toEqual({ PG_MEMORY: "2g", LEVEL: "info" });
  expect(restored).toEqual(["bundle", "env.LEVEL", "drainSeconds"]);
  expect(left).toEqual(["env.PG_MEMORY", "env.PG_SLOTS", "env.TOKEN"]);
});

test("host, domains and keep of the ledger's copy are not taken", () => {
  const source = { bundle: "registry/shop@old", env: {}, host: "elsewhere", domains: ["other.test"], keep: 1 };
  expect(Object.keys(rollbackEdit("shop", now, source, { hasAccessories: true }).edit.set).sort()).toEqual([
    "accessoriesBundle",
    "bundle",
  ]);
});

test("a copy without a bundle is refused", () => {
  expect(() => rollbackEdit("shop", now, { env: {} }, { hasAccessories: true })).toThrow(
    expect.objectContaining({ code: "NO_ROLLBACK_TARGET" }),
  );
});

test("with secrets the settings name those of the deployment; without, they stay as they are", () => {
  const source = { bundle: "registry/shop@old", env: {} };
  const target = deployed(3, "1.3.0", "good");
  const listed = [
    { name: "TOKEN", isCurrent: true },
    { name: "PASSWORD", isCurrent: false },
  ];
  const secrets = keptSecrets(target, listed);
  expect(secrets).toEqual({ deployment: 3, names: ["PASSWORD", "TOKEN"], changed: ["PASSWORD"] });
  const withThem = rollbackEdit("shop", now, source, { hasAccessories: false, secrets }).edit;
  expect(withThem.set["secretsOf"]).toEqual({ deployment: 3, names: ["PASSWORD", "TOKEN"] });
  const { set, remove } = rollbackEdit("shop", now, source, { hasAccessories: false }).edit;
  expect([...Object.keys(set), ...remove]).not.toContain("secretsOf");
  expect(rollbackNote(target, true)).toBe("rollback to #3 with its secrets");
});

test("a deployment whose secrets are not kept by name has none to bring back", () => {
  expect(() => keptSecrets(deployed(3, "1.3.0", "good"), [])).toThrow(
    expect.objectContaining({ code: "NO_ROLLBACK_TARGET", hint: expect.stringContaining("--with-secrets") }),
  );
});

test("what the program of a stack adds is left as it is, and is not told to come back", () => {
  const listed = ["API_ADMINS", "TOKEN"].map((name) => ({ name, isCurrent: false }));
  const target = deployed(3, "1.3.0", "good");
  expect(keptSecrets(target, listed, programsOwn("bridge", "bridge"))).toMatchObject({
    names: ["TOKEN"],
    changed: ["TOKEN"],
  });
  expect(keptSecrets(target, listed, programsOwn("prod", "bridge"))).toMatchObject({ names: ["API_ADMINS", "TOKEN"] });
  expect(() => keptSecrets(target, listed.slice(0, 1), ["API_ADMINS"])).toThrow("keeps no secrets of #3");
});

test("it goes back over migrations that it can live with, and tells them; not over one that it cannot", () => {
  const added = { version: "2", name: "b", phase: "expand" as const, adopted: false };
  expect(migrationsSince("#1 (v1)", { breaking: [], staying: [added] })).toEqual(["2_b"]);
  const gone = { ...added, version: "3", name: "c", phase: "contract" as const };
  expect(() => migrationsSince("#1 (v1)", { breaking: [gone], staying: [added] })).toThrow(
    /^#1 \(v1\) was made before 3_c/,
  );
});
