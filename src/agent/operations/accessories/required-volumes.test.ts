import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { aRelease, run, someAccessories } from "../../../../test/doubles/host/inputs.ts";
import { readPart } from "../../reading/read-parts.ts";
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

const data = { data: { external: false } };

function applyAccessories(recreateVolumes?: string[]) {
  const { spec } = someAccessories(on, { db: "db" });
  const input = { spec: { ...spec, volumes: data }, ...(recreateVolumes !== undefined && { recreateVolumes }) };
  return run(runner, "accessories.apply", input);
}

const missing = { state: "failed", error: { code: "VOLUME_MISSING", details: { volumes: ["shop_data"] } } };

test("a new volume is made; one that held data is not made anew in silence, however often it is asked for", async () => {
  expect(await applyAccessories()).toMatchObject({ state: "succeeded" });
  expect([...on.engine.volumes]).toEqual(["shop_data"]);
  on.engine.volumes.clear();
  const { spec } = someAccessories(on, { db: "db" });
  expect((await readPart(on.host, "shop", "accessories", { ...spec, volumes: data })).drift).toEqual([
    expect.objectContaining({ path: "volumes.data", wanted: "shop_data", found: "nothing" }),
  ]);
  const before = on.engine.named("shop-accessories-db-1")?.Id;
  for (const other of [undefined, undefined, ["other"]]) {
    expect(await applyAccessories(other)).toMatchObject(missing);
    expect([...on.engine.volumes]).toEqual([]);
    expect(on.engine.named("shop-accessories-db-1")?.Id).toBe(before);
  }
  expect((await applyAccessories()).error?.hint).toContain("--recreate-volume data");
});

test.each(["data", "shop_data"])("it is made anew where it is named as %s", async (name) => {
  await applyAccessories();
  on.engine.volumes.clear();
  expect(await applyAccessories([name])).toMatchObject({ state: "succeeded" });
  expect([...on.engine.volumes]).toEqual(["shop_data"]);
  expect(await applyAccessories()).toMatchObject({ state: "succeeded", result: { unchanged: true } });
});

const shared = { data: { external: false, name: "pgdata" } };

function of(app: string, volumes: object) {
  const { spec } = someAccessories(on, { db: "db" }, app);
  return run(runner, "accessories.apply", { spec: { ...spec, volumes } });
}

test("a volume that another app uses is not shared unasked: two servers would write to the same files", async () => {
  expect(await of("shop", shared)).toMatchObject({ state: "succeeded" });
  const refused = await of("preview", shared);
  expect(refused).toMatchObject({
    state: "failed",
    error: { code: "VOLUME_IN_USE", details: { volumes: ["pgdata"] } },
  });
  expect(on.engine.named("preview-accessories-db-1")).toBeUndefined();
  expect(await of("shop", shared)).toMatchObject({ state: "succeeded" });
  expect(await of("preview", { data: { external: true, name: "pgdata" } })).toMatchObject({ state: "succeeded" });
  await run(runner, "accessories.remove", { app: "preview" });
  await run(runner, "accessories.remove", { app: "shop" });
  expect(await of("store", shared)).toMatchObject({ state: "succeeded" });
});

test("nor where both are deployed at once, or the other came to stand half-way only", async () => {
  const both = await Promise.all([of("shop", shared), of("preview", shared)]);
  expect(both.map(({ state }) => state).sort()).toEqual(["failed", "succeeded"]);
  on.host.parts.remove("shop", "accessories");
  on.engine.volumeLabels.clear();
  on.engine.volumeUsers.set("pgdata", "shop-accessories-db-1");
  expect(await of("other", shared)).toMatchObject({ error: { code: "VOLUME_IN_USE", details: { app: "shop" } } });
  expect(await of("shop", shared)).toMatchObject({ state: "succeeded" });
});

test("what was known of it outlives the accessories and the agent's memory", async () => {
  await applyAccessories();
  await run(runner, "accessories.remove", { app: "shop" });
  on.engine.volumes.clear();
  runner = new OperationRunner(on.restart());
  expect(await applyAccessories()).toMatchObject(missing);
});

test("a release whose volume is gone is not begun, and the one before serves on", async () => {
  const withVolume = (name: string) => aRelease(on, name, { volumes: data });
  await run(runner, "release.apply", withVolume("v1"));
  on.engine.volumes.clear();
  expect(await run(runner, "release.apply", withVolume("v2"))).toMatchObject(missing);
  expect(on.host.deployments.history("shop", 10).map((each) => each.status)).toEqual(["current"]);
  expect(on.engine.named("shop-1-web-1")?.State.Running).toBe(true);
  expect(await run(runner, "release.apply", { ...withVolume("v2"), recreateVolumes: ["data"] })).toMatchObject({
    state: "succeeded",
  });
});

test("a volume that was deployed before the agent kept a list is known after the next apply that changes nothing", async () => {
  await applyAccessories();
  on.host.knownVolumes.forget("shop_data");
  expect(await applyAccessories()).toMatchObject({ result: { unchanged: true } });
  on.engine.volumes.clear();
  expect(await applyAccessories()).toMatchObject(missing);
});
