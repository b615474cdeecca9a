import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestHost } from "../../../test/doubles/host/host.ts";
import { aRelease, aRequest, imageOf, run, someAccessories } from "../../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../../test/lab/wait-until.ts";
import { edgeView } from "../edge-from-ledger.ts";
import { probe } from "../gate/http-probe.ts";
import { OperationRunner } from "../operations/operation-runner.ts";
import { readPart } from "../reading/read-parts.ts";
import { readStatus } from "../reading/read-status.ts";
import { recover } from "../recovery.ts";
import { Sweep } from "../sweep.ts";
import { rebuildLedger } from "./rebuild-ledger.ts";

let on: TestHost;
let runner: OperationRunner;

beforeEach(async () => {
  on = await TestHost.create();
  runner = new OperationRunner(on.host);
});

afterEach(async () => {
  await on.dispose();
});

const answering = (body: string) => ({ program: { answer: () => ({ status: 200, body }) } });

async function visit(host = "localhost"): Promise<unknown> {
  return probe({ address: "127.0.0.1", port: on.host.settings.httpPort }, { path: "/", host, timeoutMs: 2000 });
}

/** What was on the agent's disk. */
type Lost = "ledger" | "key" | "records";

/** The agent starts as `main.ts` has it, after these were deleted behind its back. */
async function restartWithout(...lost: Lost[]): Promise<void> {
  const { database, key, releases } = on.host.paths;
  const paths = { ledger: [database, `${database}-wal`, `${database}-shm`], key: [key], records: [releases] };
  on.restart(() => {
    for (const path of lost.flatMap((each) => paths[each])) rmSync(path, { recursive: true, force: true });
  });
  await start();
}

async function start(): Promise<void> {
  await rebuildLedger(on.host);
  await on.host.edge.persist(() => edgeView(on.host));
  await recover(on.host);
  runner = new OperationRunner(on.host);
}

/** The code of the dead agent is still in this process: from now on it changes nothing. */
function bury(): void {
  const throwing = <T extends object>(part: T): T =>
    new Proxy(part, {
      get: () => () => {
        throw new Error("this agent is dead");
      },
    });
  const { edge, containers, networks, compose, deployments, parts, subnets, records } = on.host;
  const gone = { edge, containers, networks, compose, deployments, parts, subnets, records };
  Object.assign(on.host, Object.fromEntries(Object.entries(gone).map(([name, part]) => [name, throwing(part)])));
  on.host.journal = new Proxy(on.host.journal, { get: () => () => undefined });
}

function lives(): string[] {
  return [...on.engine.containers.values()].map(({ Id, Name, State }) => `${Name} ${Id} ${State.Status}`).sort();
}

function repairs(): string {
  return on.host.repairs.all.map((each) => `${each.app ?? "host"}: ${each.message}`).join("\n");
}

async function deploy(name: string, more: Parameters<typeof aRelease>[2] = {}) {
  const ended = await run(runner, "release.apply", aRelease(on, name, { ...answering(name), ...more }));
  await waitUntil("it has settled", () => on.host.retiring.size === 0);
  return ended;
}

/** An app with a site, a database with a volume, and two deployments, the second of which serves. */
async function aShop(): Promise<void> {
  await run(runner, "site.apply", { app: "shop", domains: ["shop.test"] });
  await run(runner, "accessories.apply", someAccessories(on, { db: "db" }));
  await deploy("v1");
  await deploy("v2", { volumes: { data: {} } });
  // Its network goes after its container.
  await waitUntil("the first is gone", () => !on.host.subnets.owners().includes("shop-1"));
}

describe("a ledger that was lost, whose records are there", () => {
  beforeEach(aShop);

  test("is rebuilt as it was: the same serves, nothing restarts, what was good can be rolled back to", async () => {
    const [before, history] = [lives(), on.host.deployments.history("shop", 9)];
    const generation = on.host.parts.generation("shop", "release");
    await restartWithout("ledger");
    expect(await visit("shop.test")).toEqual({ status: 200, body: "v2" });
    expect(on.edge.onDisk?.apps).toMatchObject([{ app: "shop", domains: ["shop.test"] }]);
    expect(lives()).toEqual(before);
    expect(on.host.deployments.history("shop", 9)).toEqual(history);
    expect(on.host.subnets.owners().toSorted()).toEqual(["shop-2", "shop-accessories"]);
    expect(on.host.knownVolumes.has("shop_data")).toBe(true);
    expect(on.host.parts.generation("shop", "release")).toBeGreaterThan(generation);
    expect(repairs()).toMatch(/^shop: .*ledger was lost.*rebuilt from its record.*#2 serves$/);

    expect(await deploy("v2", { volumes: { data: {} } })).toMatchObject({ result: { number: 2, unchanged: true } });
    expect(lives()).toEqual(before);
    expect(await deploy("v3")).toMatchObject({ result: { number: 3 } });
    expect(await deploy("v1", { rollbackTo: 1 })).toMatchObject({ result: { number: 4 } });
    expect(await visit("shop.test")).toMatchObject({ body: "v1" });
  });

  test("and what was withdrawn stays withdrawn", async () => {
    const bundle = `sha256:${"b".repeat(64)}`;
    await deploy("v3", { bundle });
    await deploy("v2", { rollbackTo: 2 });
    await restartWithout("ledger");
    expect(await deploy("v3", { bundle })).toMatchObject({ error: { code: "RELEASE_WITHDRAWN" } });
  });

  test("but not the key: the release is known by what runs, and what was sealed is not to be rolled back to", async () => {
    const before = lives();
    await restartWithout("ledger", "key");
    expect(await visit("shop.test")).toMatchObject({ body: "v2" });
    expect(lives()).toEqual(before);
    expect(on.host.deployments.history("shop", 9)).toMatchObject([
      { number: 2, version: "v2", status: "current" },
      { number: 1, version: "v1", status: "pruned" },
    ]);
    expect(await deploy("v2", { volumes: { data: {} } })).toMatchObject({ result: { number: 2, unchanged: true } });
    expect(lives()).toEqual(before);
  });

  test("a key that is gone alone makes the ledger unreadable: it is moved aside, not deleted", async () => {
    await restartWithout("key");
    expect(await visit("shop.test")).toMatchObject({ body: "v2" });
    expect(repairs()).toMatch(/host's key is not the one.*moved to .*ledger\.db\.unreadable-/);
  });

  test("a record that cannot be read is left out, and what runs tells the rest", async () => {
    const { database, releases } = on.host.paths;
    on.restart(() => {
      rmSync(database);
      writeFileSync(join(releases, "shop.json"), "{");
    });
    await start();
    expect(await visit("shop.test")).toMatchObject({ body: "v2" });
    expect(on.logged.join("")).toContain("record cannot be read");
  });

  test("keeps no secret in clear, and nothing of an app that is purged but its counters", async () => {
    await deploy("v3", { services: { web: { kind: "web", image: imageOf("v3"), environment: { KEY: "s3cret" } } } });
    const path = join(on.host.paths.releases, "shop.json");
    expect(readFileSync(path, "utf8")).not.toContain("s3cret");
    for (const kind of ["release.remove", "accessories.remove", "site.remove", "bundle.remove"] as const)
      await run(runner, kind, { app: "shop" });
    expect(await run(runner, "app.purge", { app: "shop", volumes: ["shop_data"] })).toMatchObject({
      state: "succeeded",
    });
    const { tables } = JSON.parse(readFileSync(path, "utf8")) as { tables: Record<string, unknown[]> };
    expect(Object.keys(tables).filter((each) => tables[each]?.length !== 0)).toEqual(["generations"]);
  });
});

describe("a ledger that was lost with its records and its key", () => {
  beforeEach(aShop);

  test("is rebuilt from what runs, which serves on; what is unknown is told", async () => {
    const before = lives();
    await restartWithout("ledger", "records", "key");
    expect(await visit("shop.test")).toEqual({ status: 200, body: "v2" });
    expect(on.edge.onDisk?.apps).toMatchObject([{ app: "shop", domains: ["shop.test"] }]);
    expect(lives()).toEqual(before);
    expect(on.host.deployments.current("shop")).toMatchObject({ number: 2, version: "v2", status: "current" });
    expect(repairs()).toMatch(
      /^shop: .*rebuilt from what runs: #2 serves; not known any more: the release's environment/,
    );
    const { apps } = await readStatus(on.host, runner);
    expect(apps).toMatchObject([
      { app: "shop", rebuilt: expect.stringContaining("rebuilt from what runs") as unknown },
    ]);
    const { spec } = aRelease(on, "v2", { volumes: { data: {} } });
    expect((await readPart(on.host, "shop", "release", spec)).drift).toMatchObject([{ path: "bundle" }]);
    expect((await readPart(on.host, "shop", "bundle", null)).exists).toBe(true);
  });

  test("adopts the same release without a restart, and knows it from then on", async () => {
    await restartWithout("ledger", "records", "key");
    const before = lives();
    expect(await run(runner, "accessories.apply", someAccessories(on, { db: "db" }))).toMatchObject({
      state: "succeeded",
    });
    expect(await deploy("v2", { volumes: { data: {} } })).toMatchObject({ result: { number: 2, unchanged: true } });
    expect(lives()).toEqual(before);
    expect((await readStatus(on.host, runner)).apps[0]).not.toHaveProperty("rebuilt");
    const { spec } = aRelease(on, "v2", { volumes: { data: {} } });
    expect((await readPart(on.host, "shop", "release", spec)).drift).toEqual([]);
    expect(await deploy("v3")).toMatchObject({ result: { number: 3 } });
    expect(await deploy("v2", { rollbackTo: 2, volumes: { data: {} } })).toMatchObject({ result: { number: 4 } });
  });

  test("rolls over to another release under the next number; to the unknown one nothing goes back", async () => {
    await restartWithout("ledger", "records", "key");
    expect(await deploy("v3")).toMatchObject({ result: { number: 3, unchanged: false } });
    expect(await visit("shop.test")).toMatchObject({ body: "v3" });
    await waitUntil("the one before is gone", () => on.engine.named("shop-2-web-1") === undefined);
    expect(on.host.deployments.find("shop", 2)).toMatchObject({ status: "pruned" });
    const owners = () => on.host.subnets.owners().toSorted().join();
    await waitUntil("its subnet is free", () => owners() === "shop-3,shop-accessories");
    expect([...on.engine.volumes]).toEqual(["shop_data"]);
    // Nobody knows any more who brought it here.
    expect(on.engine.images.has(imageOf("v2"))).toBe(true);
  });

  test("goes by the running edge where its configuration is gone as well", async () => {
    on.edge.onDisk = undefined;
    await restartWithout("ledger", "records", "key");
    expect(on.host.deployments.current("shop")).toMatchObject({ number: 2, servers: [{ name: "d2-web-1" }] });
    expect(await visit()).toMatchObject({ body: "v2" });
  });
});

describe("a ledger that was lost in the middle of a deploy", () => {
  async function holdIn(phase: string): Promise<void> {
    writeFileSync(join(on.host.paths.hold, phase), "");
    const request = aRequest("release.apply", aRelease(on, "v3", answering("v3")));
    runner.start(request);
    await waitUntil(`it is in ${phase}`, () => on.host.journal.find(request.key)?.phase === phase);
    const record = join(on.host.paths.releases, "shop.json");
    await waitUntil("its record is written", () => readFileSync(record, "utf8").includes('"number": 3'));
    bury();
    rmSync(join(on.host.paths.hold, phase));
  }

  describe.each([["records"], ["what runs"]])("and is rebuilt from %s", (from) => {
    const lost: Lost[] = from === "records" ? ["ledger"] : ["ledger", "records", "key"];

    test.each(["gating", "baking"])(
      "%s: the release before serves, and nothing is left of the new one",
      async (phase) => {
        await aShop();
        await holdIn(phase);
        await restartWithout(...lost);
        expect(await visit("shop.test")).toEqual({ status: 200, body: "v2" });
        await waitUntil("only the second is left", () => on.engine.networks.size === 2);
        expect(on.engine.named("shop-3-web-1")).toBeUndefined();
        expect(on.host.deployments.current("shop")?.number).toBe(2);
        expect(await deploy("v4")).toMatchObject({ result: { number: 4 } });
      },
    );

    test("switched: the new release serves, and the one before goes", async () => {
      await aShop();
      await holdIn("switched");
      await restartWithout(...lost);
      expect(await visit("shop.test")).toEqual({ status: 200, body: "v3" });
      await waitUntil("the one before is gone", () => on.engine.named("shop-2-web-1") === undefined);
      expect(await deploy("v4")).toMatchObject({ result: { number: 4 } });
    });
  });
});

test("two apps, one of workers only and one without a release, are found too", async () => {
  await run(runner, "site.apply", { app: "empty", domains: ["empty.test"] });
  on.engine.images.set(imageOf("worker"), {});
  const services = { queue: { kind: "worker", image: imageOf("worker") } };
  await deploy("v1", { app: "jobs", services, routes: [] });
  await restartWithout("ledger", "records", "key");
  expect(on.host.parts.apps()).toEqual(["empty", "jobs"]);
  expect(on.host.deployments.current("jobs")?.number).toBe(1);
  expect(on.engine.named("jobs-1-queue-1")?.State.Running).toBe(true);
  expect(on.edge.onDisk?.apps.find((each) => each.app === "empty")?.domains).toEqual(["empty.test"]);
});

test("a record that the disk refuses fails no deploy; the sweep writes it", async () => {
  const { releases } = on.host.paths;
  writeFileSync(releases, "in its way");
  expect(await deploy("v1")).toMatchObject({ state: "succeeded" });
  expect(on.logged.join("")).toContain("record could not be written");
  rmSync(releases);
  await new Sweep(on.host, runner).once();
  await restartWithout("ledger");
  expect(on.host.deployments.current("shop")).toMatchObject({ number: 1, version: "v1" });
});

test("a host on which there is nothing is a new one: nothing is told", async () => {
  await restartWithout("ledger");
  expect(repairs()).toBe("");
  expect(on.host.records.isLedgerEmpty()).toBe(true);
});
