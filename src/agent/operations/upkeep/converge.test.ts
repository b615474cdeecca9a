import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { aRelease, run } from "../../../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../../../test/lab/wait-until.ts";
import { openDatabase } from "../../ledger/database.ts";
import { Deployments } from "../../ledger/deployments.ts";
import { readPart } from "../../reading/read-parts.ts";
import { isRouted, retireDeployment, retireOthers } from "./converge.ts";
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

const deploy = (name: string, more = {}) => run(runner, "release.apply", aRelease(on, name, more));

/** The same by an agent that is there no more: what it would still clean up is not among what the test asks for. */
async function deployed(name: string, more = {}): Promise<void> {
  expect(await deploy(name, more)).toMatchObject({ state: "succeeded" });
  runner = new OperationRunner(on.restart());
}

describe("cleaning up", () => {
  test("never takes the release that came to serve while it looked around", async () => {
    await deployed("v1", { drainSeconds: 3600 });
    on.edge.setConnections("shop", "d1-web-1", 1);
    // A clean-up that has asked the engine what is there, and gets its answer only after the next switch.
    const { networks } = on.host;
    const list = networks.list.bind(networks);
    let go = (): void => undefined;
    const held = new Promise<void>((done) => (go = done));
    networks.list = async (wanted) => {
      networks.list = list;
      await held;
      return list(wanted);
    };
    const cleaning = retireOthers(on.host, "shop");
    await deploy("v2");
    go();
    on.edge.setConnections("shop", "d1-web-1", 0);
    await cleaning;
    expect(on.engine.named("shop-2-web-1")?.State.Running).toBe(true);
    expect(on.engine.named("shop-1-web-1")).toBeUndefined();
    expect(on.host.deployments.current("shop")?.number).toBe(2);
  });

  test("leaves a deployment alone that is on its way up", async () => {
    await deploy("v1");
    on.host.underway.add("shop/1");
    on.host.deployments.retireCurrent("shop");
    await retireOthers(on.host, "shop");
    expect(on.engine.named("shop-1-web-1")?.State.Running).toBe(true);
  });

  test("gives back a network that was given out and never made", async () => {
    const { number } = on.host.deployments.begin(aRelease(on, "v1"), "digest", "anna");
    on.host.subnets.allocate(`shop-${number}`, []);
    on.host.subnets.allocate("shop-accessories", []);
    on.host.subnets.allocate(`shop-x-${number}`, []);
    await retireOthers(on.host, "shop");
    expect(on.host.subnets.owners().toSorted()).toEqual(["shop-accessories", `shop-x-${number}`]);
  });

  test("leaves a release alone that the ledger does not know: the ledger may have been lost", async () => {
    await deploy("v1");
    const emptied = new Deployments(openDatabase(":memory:"), on.host.vault);
    await retireOthers({ ...on.host, deployments: emptied }, "shop");
    expect(on.engine.named("shop-1-web-1")?.State.Running).toBe(true);
  });

  test("of one deployment happens once, however many ask for it", async () => {
    await deployed("v1");
    on.host.deployments.retireCurrent("shop");
    await on.edge.switchTo({ app: "shop", domains: [], routes: [], servers: [] });
    on.edge.setConnections("shop", "d1-web-1", 1);
    const both = [retireDeployment(on.host, "shop", 1), retireDeployment(on.host, "shop", 1)];
    on.edge.setConnections("shop", "d1-web-1", 0);
    await Promise.all(both);
    expect(on.engine.calls.filter((each) => each.startsWith("DELETE /networks/"))).toHaveLength(1);
  });
});

describe("draining", () => {
  test("ends with the last connection, or after the release's own time", async () => {
    expect(await deploy("v1", { drainSeconds: 0.5 })).toMatchObject({ state: "succeeded" });
    on.edge.setConnections("shop", "d1-web-1", 1);
    const switchedAt = Date.now();
    expect(await deploy("v2")).toMatchObject({ state: "succeeded" });
    await waitUntil("the first is gone", () => on.engine.named("shop-1-web-1") === undefined);
    expect(Date.now() - switchedAt).toBeGreaterThanOrEqual(500);
    expect((await on.edge.served("shop")).servers.map((each) => each.name)).toEqual(["d2-web-1"]);
  });
});

describe("what is read of a release", () => {
  test("is what runs and serves, and how it differs", async () => {
    const { spec } = aRelease(on, "v1");
    expect(await readPart(on.host, "shop", "release", spec)).toEqual({
      exists: false,
      drift: [],
      services: {},
      generation: 0,
    });
    await deploy("v1");
    const { digest } = on.host.deployments.require("shop", 1);
    expect(await readPart(on.host, "shop", "release", spec)).toMatchObject({
      exists: true,
      number: 1,
      digest,
      drift: [],
      generation: 1,
    });
    expect(await isRouted(on.host, "shop")).toBe(true);

    await on.edge.switchTo({
      app: "shop",
      domains: [],
      routes: [{ path: "/x", service: "web", port: 8080 }],
      servers: [],
    });
    const { drift } = await readPart(on.host, "shop", "release", spec);
    expect(drift.map((each) => each.message)).toEqual([
      "the edge has no route / to web:8080",
      "the edge has a route /x to web:8080 that nobody asked for",
      "the edge has no server for the app",
      expect.stringMatching(/^the edge does not serve the container at 127\./),
    ]);
    expect(await isRouted(on.host, "shop")).toBe(false);
  });

  test("tells missing replicas", async () => {
    const web = { kind: "web", image: aRelease(on, "v1").spec.services["web"]?.image, deploy: { replicas: 2 } };
    await deploy("v1", { services: { web } });
    await on.host.containers.stopAndRemove(on.engine.named("shop-1-web-2-1")?.Id ?? "");
    const { drift } = await readPart(on.host, "shop", "release", aRelease(on, "v1", { services: { web } }).spec);
    expect(drift[0]).toMatchObject({ path: "services.web", message: "web: 1 of 2 containers missing" });
  });
});
