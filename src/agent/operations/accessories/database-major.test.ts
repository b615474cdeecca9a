import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { imageOf, run } from "../../../../test/doubles/host/inputs.ts";
import { OperationRunner } from "../operation-runner.ts";

let on: TestHost;
let runner: OperationRunner;

beforeEach(async () => {
  on = await TestHost.create();
  runner = new OperationRunner(on.host);
  for (const major of ["15", "16"])
    on.engine.images.set(imageOf(`postgres-${major}`), { imageEnvironment: [`PG_MAJOR=${major}`] });
  on.engine.images.set(imageOf("postgres-patched"), { imageEnvironment: ["PG_MAJOR=15"] });
});

afterEach(async () => {
  await on.dispose();
});

function apply(image: string, volume: string) {
  const volumes = [{ type: "volume", source: volume, target: "/var/lib/postgresql/data" }];
  const db = { kind: "accessory", image: imageOf(image), healthcheck: { test: "true" }, volumes };
  const spec = { app: "shop", services: { db }, volumes: { [volume]: { external: false } } };
  return run(runner, "accessories.apply", { spec });
}

test("another major version over the files of the one before is refused, and the database stays as it is", async () => {
  expect(await apply("postgres-15", "data")).toMatchObject({ state: "succeeded" });
  const before = on.engine.named("shop-accessories-db-1")?.Id;
  for (let asked = 0; asked < 2; asked += 1)
    expect(await apply("postgres-16", "data")).toMatchObject({
      state: "failed",
      error: {
        code: "DATABASE_MAJOR_CHANGED",
        message: expect.stringContaining("files of PostgreSQL 15, and its image is PostgreSQL 16"),
      },
    });
  expect(on.engine.named("shop-accessories-db-1")).toMatchObject({ Id: before, State: { Running: true } });
  expect(await apply("postgres-patched", "data")).toMatchObject({ state: "succeeded", result: { unchanged: false } });
});

test("with a volume of its own it begins anew", async () => {
  await apply("postgres-15", "data");
  expect(await apply("postgres-16", "data16")).toMatchObject({ state: "succeeded" });
});
