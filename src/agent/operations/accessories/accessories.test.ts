import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { aRelease, imageOf, run, someAccessories } from "../../../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../../../test/lab/wait-until.ts";
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

function apply(services: Record<string, string>) {
  return run(runner, "accessories.apply", someAccessories(on, services));
}

function networksOf(container: string): Record<string, string> {
  const found = on.engine.named(container)?.NetworkSettings.Networks ?? {};
  return Object.fromEntries(Object.entries(found).map(([name, endpoint]) => [name, endpoint.IPAddress]));
}

test("accessories are started once, and left alone when nothing changes", async () => {
  expect(await apply({ db: "db" })).toMatchObject({
    state: "succeeded",
    result: { unchanged: false, services: { db: { state: "running" } } },
  });
  const before = on.engine.named("shop-accessories-db-1")?.Id;
  expect(await apply({ db: "db" })).toMatchObject({ state: "succeeded", result: { unchanged: true } });
  expect(on.engine.named("shop-accessories-db-1")?.Id).toBe(before);
});

test("a change recreates what changed and removes what was dropped; volumes stay", async () => {
  on.engine.volumes.add("shop_data");
  await apply({ db: "db", cache: "cache" });
  const before = on.engine.named("shop-accessories-db-1")?.Id;
  expect(await apply({ db: "db", search: "search" })).toMatchObject({ state: "succeeded" });
  expect(on.engine.named("shop-accessories-db-1")?.Id).toBe(before);
  expect(on.engine.named("shop-accessories-cache-1")).toBeUndefined();
  expect(await run(runner, "accessories.remove", { app: "shop" })).toMatchObject({ state: "succeeded" });
  expect(on.engine.containers.size + on.engine.networks.size).toBe(0);
  expect([...on.engine.volumes]).toEqual(["shop_data"]);
});

test("a failed change is done again when it is asked for again, not taken for done", async () => {
  on.engine.images.set(imageOf("db"), { exitCode: 1, lines: ["cannot write to /data"] });
  const failed = await apply({ db: "db" });
  expect(failed).toMatchObject({ state: "failed", error: { code: "ACCESSORY_FAILED", details: { partial: true } } });
  expect(failed.error?.message).toContain("cannot write to /data");
  // It runs meanwhile, but nobody has seen it healthy.
  on.engine.images.set(imageOf("db"), {});
  await on.host.containers.start(on.engine.named("shop-accessories-db-1")?.Id ?? "");
  expect(await apply({ db: "db" })).toMatchObject({ state: "succeeded", result: { unchanged: false } });
  expect(await apply({ db: "db" })).toMatchObject({ state: "succeeded", result: { unchanged: true } });
});

test("one that the engine restarted long ago does not fail the change of another", async () => {
  await apply({ db: "db" });
  Object.assign(on.engine.named("shop-accessories-db-1") ?? {}, { RestartCount: 2 });
  expect(await apply({ db: "db", cache: "cache" })).toMatchObject({ state: "succeeded" });
});

test("each is reached from the release under its service name, on an address that nobody else has", async () => {
  await apply({ db: "db" });
  await run(runner, "release.apply", aRelease(on, "v1"));
  // Sorts before `db`, which has the last address already.
  expect(await apply({ cache: "cache", db: "db" })).toMatchObject({ state: "succeeded" });
  const cache = networksOf("shop-accessories-cache-1")["shop-1"];
  const db = networksOf("shop-accessories-db-1")["shop-1"];
  expect(cache).toMatch(/^127\./);
  expect(db).toMatch(/^127\./);
  expect(cache).not.toBe(db);
  expect(on.engine.named("shop-accessories-cache-1")?.NetworkSettings.Networks["shop-1"]?.Aliases).toEqual(["cache"]);
});

test("an address that the engine refuses fails the change; it is not taken for attached", async () => {
  await apply({ db: "db" });
  on.engine.refusals.set("/connect", { status: 403, message: "Address already in use" });
  const ended = await run(runner, "release.apply", aRelease(on, "v1"));
  expect(ended.error?.message).toContain("Address already in use");
});

test("one that was recreated is attached to the release that serves", async () => {
  await apply({ db: "db" });
  await run(runner, "release.apply", aRelease(on, "v1"));
  await apply({ db: "db-2" });
  expect(Object.keys(networksOf("shop-accessories-db-1")).toSorted()).toEqual(["shop-1", "shop-accessories"]);
});

test("a release that goes leaves a stopped accessory able to start again", async () => {
  await apply({ db: "db" });
  await run(runner, "release.apply", aRelease(on, "v1"));
  await on.engine.crash(on.engine.named("shop-accessories-db-1")?.Id ?? "", 1);
  await run(runner, "release.remove", { app: "shop" });
  expect(Object.keys(networksOf("shop-accessories-db-1"))).toEqual(["shop-accessories"]);
  expect(await apply({ db: "db" })).toMatchObject({ state: "succeeded" });
});

test("what is missing, other than asked for, or cut off from the release is told as drift", async () => {
  const { spec } = someAccessories(on, { db: "db", cache: "cache" });
  await apply({ db: "db", cache: "cache" });
  await run(runner, "release.apply", aRelease(on, "v1"));
  await waitUntil("it settles", async () => (await readPart(on.host, "shop", "accessories", spec)).drift.length === 0);
  const db = on.engine.named("shop-accessories-db-1");
  delete db?.NetworkSettings.Networks["shop-1"];
  await on.host.containers.stopAndRemove(on.engine.named("shop-accessories-cache-1")?.Id ?? "");
  const { drift, exists } = await readPart(on.host, "shop", "accessories", { ...spec, volumes: { data: {} } });
  expect(exists).toBe(true);
  expect(drift.map((each) => each.path).toSorted()).toEqual(["services.cache", "services.db.networks", "volumes.data"]);
});

test("an accessory is found by its other names too, on its own network and on those of releases", async () => {
  const input = someAccessories(on, { realtime: "realtime" });
  const { realtime } = input.spec.services;
  const named = { ...realtime, networks: { default: { aliases: ["realtime-dev.backend"] } } };
  const spec = { ...input.spec, services: { realtime: named } };
  expect(await run(runner, "accessories.apply", { ...input, spec })).toMatchObject({ state: "succeeded" });
  expect(await run(runner, "release.apply", aRelease(on, "v1"))).toMatchObject({ state: "succeeded" });
  const networks = on.engine.named("shop-accessories-realtime-1")?.NetworkSettings.Networks ?? {};
  const names = ["realtime", "realtime-dev.backend"];
  expect(networks["shop-accessories"]?.Aliases).toEqual(names);
  expect(networks["shop-1"]?.Aliases).toEqual(names);
  expect((await readPart(on.host, "shop", "accessories", spec)).drift).toEqual([]);
});
