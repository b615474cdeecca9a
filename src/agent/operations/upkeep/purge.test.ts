import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { aBackupOn } from "../../../../test/doubles/backups/backup-on-host.ts";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { aRelease, imageOf, run, someAccessories } from "../../../../test/doubles/host/inputs.ts";
import { operations } from "../../protocol/operations.ts";
import { readLeftovers } from "../../reading/read-leftovers.ts";
import { OperationRunner } from "../operation-runner.ts";

let on: TestHost;
let runner: OperationRunner;

beforeEach(async () => {
  on = await TestHost.create();
  runner = new OperationRunner(on.host);
});

afterEach(async () => {
  await on.dispose();
});

const volumes = { data: {}, files: {}, shared: { external: true, name: "everybodys" }, old: { name: "shop_old" } };

/** An app with a database, its release, and volumes of every kind. */
async function deployed(): Promise<void> {
  await withDatabase("shop");
  expect(await run(runner, "release.apply", aRelease(on, "web"))).toMatchObject({ state: "succeeded" });
}

async function withDatabase(app: string): Promise<void> {
  const { spec } = someAccessories(on, { db: "db" }, app);
  // What another app has is had as well only by who says so.
  const old = { ...volumes.old, external: app !== "shop" };
  const accessories = operations["accessories.apply"].input.parse({ spec: { ...spec, volumes: { ...volumes, old } } });
  expect(await run(runner, "accessories.apply", accessories)).toMatchObject({ state: "succeeded" });
}

async function removed(): Promise<void> {
  for (const kind of ["release.remove", "accessories.remove"] as const)
    expect(await run(runner, kind, { app: "shop" })).toMatchObject({ state: "succeeded" });
}

const purge = (names: string[]) => run(runner, "app.purge", { app: "shop", volumes: names });

test("what a removed app left is told with its size, and exactly what is named of it is deleted", async () => {
  // Made by somebody else, before.
  on.engine.volumes.add("shop_old");
  await deployed();
  on.engine.volumeBytes.set("shop_data", 7_000_000);
  await removed();
  const backup = await aBackupOn(on.host.backups);
  expect(await readLeftovers(on.host, "shop")).toEqual({
    standing: [],
    volumes: [
      { name: "shop_data", bytes: 7_000_000 },
      { name: "shop_files" },
      { name: "shop_old", kept: "it was not made for shop" },
    ],
    images: expect.any(Array) as unknown,
    deployments: 1,
    backups: 1,
  });

  expect(await purge(["shop_data"])).toMatchObject({ state: "succeeded", result: { deployments: 1 } });
  expect(await on.host.backups.list("shop")).toEqual([backup]);
  expect([...on.engine.volumes].sort()).toEqual(["everybodys", "shop_files", "shop_old"]);
  expect(on.host.deployments.history("shop", 9)).toEqual([]);
  expect(on.host.parts.generation("shop", "release")).toBeGreaterThan(2);
  // Asked for again, as after a lost connection: what is gone is well.
  expect(await purge(["shop_data"])).toMatchObject({ state: "succeeded" });

  await deployed();
  expect(on.host.deployments.history("shop", 9)).toMatchObject([{ number: 1, status: "current" }]);
});

test("what its database had of migrations is forgotten: a new app of its name does not have to know them", async () => {
  await deployed();
  const contract = { version: "20260101000000", name: "drop", phase: "contract", adopted: false };
  on.host.parts.set("shop", "migration", { applied: [contract], commands: [] });
  // While the release serves, no migrations in the next bundle do not make it forget.
  await run(runner, "migration.remove", { app: "shop" });
  await removed();
  await purge([]);
  expect(on.host.parts.apps()).toEqual([]);
  expect(await run(runner, "release.apply", aRelease(on, "web"))).toMatchObject({ state: "succeeded" });
});

test("an app that still stands is not purged, whatever of it stands", async () => {
  await deployed();
  const kept = [...on.engine.volumes];
  for (const kind of ["release.remove", "accessories.remove"] as const) {
    const refused = await purge(["shop_data"]);
    expect(refused).toMatchObject({ state: "failed", error: { code: "APP_IN_USE" } });
    expect(refused.error?.message).toMatch(
      /shop is not removed yet: .*its accessories, container shop-accessories-db-1/,
    );
    await run(runner, kind, { app: "shop" });
  }
  expect([...on.engine.volumes]).toEqual(kept);
});

test.each([
  ["of another app", "blog_data", "it was not made for shop"],
  ["that is external", "everybodys", "it was not made for shop"],
  ["that somebody else made", "shop_old", "it was not made for shop"],
])("a volume %s is refused, and then none is deleted", async (_which, name, why) => {
  on.engine.volumes.add("shop_old");
  await deployed();
  await withDatabase("blog");
  await removed();
  const before = [...on.engine.volumes];
  const refused = await purge(["shop_data", name]);
  expect(refused.error).toMatchObject({ code: "APP_IN_USE", message: expect.stringContaining(why) as unknown });
  expect([...on.engine.volumes]).toEqual(before);
  expect(await readLeftovers(on.host, "shop")).toMatchObject({ deployments: 1 });
});

test("a volume that a container or another app has is kept", async () => {
  await deployed();
  await removed();
  await on.engine.createContainer({ name: "backup", image: imageOf("db") });
  on.engine.volumeUsers.set("shop_data", "backup");
  expect((await readLeftovers(on.host, "shop")).volumes[0]).toMatchObject({ kept: "the container backup has it" });
  expect((await purge(["shop_data"])).error?.message).toContain("the container backup has it");

  const { spec } = someAccessories(on, { db: "db" }, "blog");
  const guest = operations["accessories.apply"].input.parse({
    spec: { ...spec, volumes: { x: { name: "shop_files" } } },
  });
  await run(runner, "accessories.apply", guest);
  expect((await purge(["shop_files"])).error?.message).toContain("the app blog uses it");
  expect(on.engine.volumes.has("shop_files")).toBe(true);
});
