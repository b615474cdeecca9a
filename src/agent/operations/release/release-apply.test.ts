import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FakeContainer } from "../../../../test/doubles/host/engine.ts";
import { FullDisk } from "../../../../test/doubles/host/full-disk.ts";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import {
  aHolder,
  aRelease,
  aRequest,
  digestOf,
  imageOf,
  run,
  someAccessories,
  webPort,
} from "../../../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../../../test/lab/wait-until.ts";
import { makeCertificates } from "../../../../test/rigs/certificates.ts";
import { IkomaError } from "../../../core/errors.ts";
import { probe } from "../../gate/http-probe.ts";
import { operations } from "../../protocol/operations.ts";
import type { OperationView } from "../../protocol/operations.ts";
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

async function deploy(name: string, more: Parameters<typeof aRelease>[2] = {}) {
  return run(runner, "release.apply", aRelease(on, name, more));
}

/** What a visitor gets. */
async function visit(host = "localhost"): Promise<unknown> {
  return probe({ address: "127.0.0.1", port: on.host.settings.httpPort }, { path: "/", host, timeoutMs: 2000 });
}

function saying(body: string, status = 200) {
  return { answer: () => ({ status, body }) };
}

function containersOf(app: string): FakeContainer[] {
  return [...on.engine.containers.values()].filter((each) => each.Config.Labels["dev.ikoma.app"] === app);
}

async function onlyLeft(name: string): Promise<void> {
  await waitUntil(
    `only ${name} is left`,
    () => on.engine.containers.size === 1 && on.engine.networks.size === 1 && on.engine.named(name) !== undefined,
  );
}

describe("a good release", () => {
  test("serves, and the one before goes after the answer with its network, address and servers", async () => {
    expect(await deploy("v1", { program: saying("one") })).toMatchObject({
      state: "succeeded",
      result: { number: 1, unchanged: false, services: { web: { kind: "web", healthy: true, replicas: 1 } } },
    });
    expect(await visit()).toEqual({ status: 200, body: "one" });
    expect(await deploy("v2", { program: saying("two") })).toMatchObject({ state: "succeeded", result: { number: 2 } });
    expect(await visit()).toEqual({ status: 200, body: "two" });
    await onlyLeft("shop-2-web-1");
    await waitUntil("its subnet is free", () => on.host.subnets.owners().join() === "shop-2");
    expect((await on.edge.served("shop")).servers.map((each) => each.name)).toEqual(["d2-web-1"]);
    expect(on.host.deployments.history("shop", 5).map((each) => each.status)).toEqual(["current", "good"]);
    expect(on.edge.onDisk?.apps).toMatchObject([{ app: "shop", servers: [{ name: "d2-web-1" }] }]);
  });

  test("has each replica on an address of its own, named apart from other services", async () => {
    const web = { kind: "web", image: imageOf("v1"), deploy: { replicas: 2, resources: {} } };
    const other = { kind: "worker", image: imageOf("v1") };
    expect(await deploy("v1", { services: { web, "web-2": other } })).toMatchObject({ state: "succeeded" });
    const names = containersOf("shop").map((each) => each.Name);
    expect(names.toSorted()).toEqual(["/shop-1-web-1", "/shop-1-web-2-1", "/shop-1-web-2_-1"]);
    const addresses = containersOf("shop").map((each) => each.NetworkSettings.Networks["shop-1"]?.IPAddress);
    expect(new Set(addresses).size).toBe(3);
    expect((await on.edge.served("shop")).servers.map((each) => each.name)).toEqual(["d1-web-1", "d1-web-2"]);
    expect(await on.host.edge.version()).toBeDefined();
  });

  test("starts its workers once the web is switched to", async () => {
    const worker = { kind: "worker", image: imageOf("worker") };
    on.engine.images.set(imageOf("worker"), {});
    const web = { kind: "web", image: imageOf("v1") };
    const ended = await deploy("v1", { services: { web, jobs: worker } });
    const names = on.host.journal.events(ended.key, 0).map((each) => each.name);
    expect(names.indexOf("workers")).toBeGreaterThan(names.indexOf("switching"));
    expect(names.indexOf("workers")).toBeLessThan(names.indexOf("switched"));
    expect(on.engine.named("shop-1-jobs-1")?.State.Running).toBe(true);
  });

  test("gets secrets and dollar signs as they are, and volumes by their stable names", async () => {
    const web = { kind: "web", image: imageOf("v1"), environment: { PASSWORD: "pa$$w${ORD}$" } };
    await deploy("v1", {
      services: { web },
      volumes: { data: {}, shared: { external: true }, old: { name: "legacy" } },
    });
    expect(on.engine.named("shop-1-web-1")?.Config.Env).toEqual(["PASSWORD=pa$$w${ORD}$"]);
    expect([...on.engine.volumes].toSorted()).toEqual(["legacy", "shared", "shop_data"]);
  });
});

describe("the same release again", () => {
  test("restarts nothing, but takes over what goes with it", async () => {
    await deploy("v1");
    const before = on.engine.named("shop-1-web-1")?.Id;
    const again = await deploy("v1", { keep: 2 });
    expect(again).toMatchObject({ state: "succeeded", result: { number: 1, unchanged: true } });
    expect(on.engine.named("shop-1-web-1")?.Id).toBe(before);
    expect(on.host.deployments.input("shop", 1)?.keep).toBe(2);
  });

  test("nor does one whose route's path ends in a slash, which the edge does not keep", async () => {
    const routes = [{ path: "/shop/", service: "web", port: webPort }];
    const first = await deploy("v1", { routes });
    const second = await deploy("v1", { routes });
    expect(first).toMatchObject({ state: "succeeded", result: { number: 1 } });
    expect(second).toMatchObject({ state: "succeeded", result: { number: 1, unchanged: true } });
  });

  test("puts a fallen container up again under its own number", async () => {
    await deploy("v1", { program: saying("one") });
    await on.engine.crash(on.engine.named("shop-1-web-1")?.Id ?? "", 137);
    const healed = await deploy("v1", { program: saying("one") });
    expect(healed).toMatchObject({ state: "succeeded", result: { number: 1, unchanged: false } });
    expect(await visit()).toMatchObject({ body: "one" });
  });

  test("a container that the engine restarted long ago is not one that crashed now", async () => {
    const web = { kind: "web", image: imageOf("v1") };
    const jobs = { kind: "worker", image: imageOf("v1") };
    await deploy("v1", { services: { web, jobs } });
    Object.assign(on.engine.named("shop-1-web-1") ?? {}, { RestartCount: 3 });
    await on.engine.crash(on.engine.named("shop-1-jobs-1")?.Id ?? "", 1);
    expect(await deploy("v1", { services: { web, jobs } })).toMatchObject({
      state: "succeeded",
      result: { number: 1 },
    });
  });

  test("is deployed anew where that does not help", async () => {
    await deploy("v1", { program: saying("one") });
    // In a crash loop: the engine calls that running.
    Object.assign(on.engine.named("shop-1-web-1")?.State ?? {}, { Status: "restarting", Restarting: true });
    expect(await deploy("v1", { program: saying("one") })).toMatchObject({
      state: "succeeded",
      result: { number: 2, unchanged: false },
    });
    expect(await visit()).toMatchObject({ body: "one" });
    await onlyLeft("shop-2-web-1");
  });
});

describe("a bad release", () => {
  beforeEach(async () => {
    await deploy("v1", { program: saying("one") });
  });

  async function nothingChanged(): Promise<void> {
    expect(await visit()).toEqual({ status: 200, body: "one" });
    await onlyLeft("shop-1-web-1");
    expect(on.host.deployments.current("shop")?.number).toBe(1);
    expect(on.host.underway.size).toBe(0);
    expect(on.host.prepared.size).toBe(0);
    await waitUntil("its subnet is free", () => on.host.subnets.owners().join() === "shop-1");
  }

  test("that crashes is told at once with its last lines, and removed", async () => {
    const ended = await deploy("v2", { program: { exitCode: 3, lines: ["booting", "no DATABASE_URL"] } });
    expect(ended.error).toMatchObject({
      code: "RELEASE_CRASHED",
      details: { exitCode: 3, log: ["booting", "no DATABASE_URL"] },
    });
    expect(ended.error?.message).toContain("no DATABASE_URL");
    await nothingChanged();
  });

  test("that is never healthy is told with the probe's answer", async () => {
    const ended = await deploy("v2", { program: saying("database is down", 503), health: { timeoutSeconds: 3 } });
    expect(ended.error).toMatchObject({ code: "RELEASE_UNHEALTHY" });
    expect(ended.error?.message).toContain("status 503: database is down");
    await nothingChanged();
  });

  test("that fails its smoke checks is caught before anybody sees it", async () => {
    const program = { ...saying("wrong"), lines: ["started", "the till is empty"] };
    const ended = await deploy("v2", { program, smoke: [{ path: "/", contains: "right" }] });
    expect(ended.error).toMatchObject({
      code: "RELEASE_SMOKE_FAILED",
      details: {
        where: "before the switch",
        service: "web",
        cause: 'it wanted a body with "right" and got status 200: wrong',
        log: ["started", "the till is empty"],
        serving: { number: 1, version: "v1" },
      },
    });
    expect(on.host.journal.events(ended.key, 0).map((each) => each.name)).not.toContain("switching");
    await nothingChanged();
  });

  test("is told with the log of the service that the path goes to, not of one whose path begins alike", async () => {
    on.engine.images.set(imageOf("api"), { ports: [webPort], lines: ["the API is up"] });
    const services = { web: { kind: "web", image: imageOf("v2") }, api: { kind: "web", image: imageOf("api") } };
    const routes = [
      { path: "/", service: "web", port: webPort },
      { path: "/api", service: "api", port: webPort },
    ];
    const program = { ...saying("wrong"), lines: ["the till is empty"] };
    const ended = await deploy("v2", { program, services, routes, smoke: [{ path: "/apiary", contains: "right" }] });
    expect(ended.error).toMatchObject({ details: { service: "web", log: ["the till is empty"] } });
    await nothingChanged();
  });

  test("that fails after the switch is switched back from", async () => {
    let asked = 0;
    const answer = (path: string) => ({ status: path === "/smoke" && (asked += 1) > 1 ? 500 : 200, body: "two" });
    const ended = await deploy("v2", { program: { answer }, smoke: [{ path: "/smoke" }] });
    expect(ended.error).toMatchObject({ code: "RELEASE_SMOKE_FAILED", details: { where: "on the public route" } });
    await nothingChanged();
    expect((await on.edge.served("shop")).servers).toMatchObject([{ name: "d1-web-1", state: "ready" }]);
  });

  test("is undone also where the engine does not say what its service wrote", async () => {
    let asked = 0;
    const answer = (path: string) => {
      if (path !== "/smoke" || (asked += 1) < 2) return { status: 200, body: "two" };
      on.engine.refusals.set("GET /containers/json", { status: 500, message: "engine busy" });
      return { status: 500, body: "broken" };
    };
    const ended = await deploy("v2", { program: { answer }, smoke: [{ path: "/smoke" }] });
    expect(ended.error).toMatchObject({ code: "RELEASE_SMOKE_FAILED", details: { log: [] } });
    expect((await on.edge.served("shop")).servers).toMatchObject([{ name: "d1-web-1", state: "ready" }, {}]);
    expect(on.host.deployments.find("shop", 2)?.status).toBe("failed");
  });

  test("is not blamed for an edge that was restarted before it was checked there", async () => {
    let asked = 0;
    const answer = (path: string) => {
      const isRestarted = path === "/smoke" && (asked += 1) === 2;
      if (isRestarted) void on.edge.switchTo({ app: "shop", domains: [], routes: [], servers: [] });
      return { status: isRestarted ? 503 : 200, body: "two" };
    };
    const next = { program: { answer }, smoke: [{ path: "/smoke" }] };
    expect((await deploy("v2", next)).error).toMatchObject({ code: "EDGE_FAILED" });
    await nothingChanged();
    expect(await deploy("v2", next)).toMatchObject({ state: "succeeded" });
  });

  test("is told from a good one also where the app answers by TLS only", async () => {
    await makeCertificates(on.root, "shop", "DNS:shop.example");
    const [certificate, key] = await Promise.all(["pem", "key"].map((end) => readFile(join(on.root, `shop.${end}`))));
    const site = { app: "shop", domains: ["shop.example"], certificatePem: `${String(certificate)}${String(key)}` };
    expect(await run(runner, "site.apply", site)).toMatchObject({ state: "succeeded" });
    on.edge.tlsOnly.add("shop");
    const smoke = [{ path: "/", contains: "two" }];
    expect((await deploy("v2", { program: saying("broken"), smoke })).error).toMatchObject({
      code: "RELEASE_SMOKE_FAILED",
      message: expect.stringContaining("broken"),
    });
    expect(await deploy("v2", { program: saying("two"), smoke })).toMatchObject({ state: "succeeded" });
  });

  test("that somebody is still connected to is told before it has drained", async () => {
    let asked = 0;
    const answer = (path: string) => {
      if (path !== "/smoke" || (asked += 1) < 2) return { status: 200, body: "two" };
      on.edge.setConnections("shop", "d2-web-1", 1);
      return { status: 500, body: "broken" };
    };
    const ended = await deploy("v2", { program: { answer }, smoke: [{ path: "/smoke" }], drainSeconds: 3600 });
    expect(ended.error).toMatchObject({ code: "RELEASE_SMOKE_FAILED" });
    expect(JSON.stringify(on.host.journal.events(ended.key, 0))).toContain("#2 still drains or stops");
    on.edge.setConnections("shop", "d2-web-1", 0);
    await nothingChanged();
  });

  test("whose workers crash is switched back from", async () => {
    on.engine.images.set(imageOf("worker"), { exitCode: 1, lines: ["no queue"] });
    const services = { web: { kind: "web", image: imageOf("v2") }, jobs: { kind: "worker", image: imageOf("worker") } };
    expect((await deploy("v2", { services })).error).toMatchObject({
      code: "RELEASE_CRASHED",
      details: { service: "jobs" },
    });
    await nothingChanged();
  });

  test("whose network cannot be made gives its addresses back", async () => {
    on.engine.refusals.set("POST /networks/create", { status: 500, message: "no bridge" });
    expect((await deploy("v2")).error?.message).toContain("no bridge");
    on.engine.refusals.clear();
    await nothingChanged();
  });

  test("whose accessories cannot be attached leaves no file behind", async () => {
    await run(runner, "accessories.apply", someAccessories(on, { db: "db" }));
    const { files } = on.host;
    const provide = files.provide.bind(files);
    let provided = Promise.resolve();
    files.provide = (...values) =>
      (provided = waitUntil("it is undone", () => !on.engine.networks.has("shop-2")).then(() => provide(...values)));
    on.engine.refusals.set("/networks/shop-2/connect", { status: 500, message: "no address" });
    const file = { content: "secret", mode: "0400" };
    const web = { kind: "web", image: imageOf("v2"), files: { "/run/secrets/key": file } };
    expect((await deploy("v2", { services: { web } })).error?.message).toContain("no address");
    await provided;
    expect(existsSync(join(on.host.paths.files, "shop-2"))).toBe(false);
  });

  test("whose undoing meets trouble still says why it failed, and the rest is done later", async () => {
    on.engine.refusals.set("DELETE /containers", { status: 500, message: "device busy" });
    const ended = await deploy("v2", { program: { exitCode: 3 } });
    expect(ended.error).toMatchObject({ code: "RELEASE_CRASHED" });
    expect(JSON.stringify(on.host.journal.events(ended.key, 0))).toContain("not finished yet: device busy");
    on.engine.refusals.clear();
    expect(await deploy("v3", { program: saying("three") })).toMatchObject({ state: "succeeded" });
    await onlyLeft("shop-3-web-1");
  });

  test("answers although an older one still drains", async () => {
    await deploy("v2", { program: saying("one"), drainSeconds: 3600 });
    on.edge.setConnections("shop", "d2-web-1", 1);
    await waitUntil("the first is gone", () => on.engine.named("shop-1-web-1") === undefined);
    await deploy("v3", { program: saying("one") });
    // The second drains for up to an hour now; neither a bad nor a good deploy waits for it.
    expect((await deploy("v4", { program: { exitCode: 3 } })).error).toMatchObject({ code: "RELEASE_CRASHED" });
    expect(await deploy("v5", { program: saying("five") })).toMatchObject({ state: "succeeded" });
    expect(await visit()).toMatchObject({ body: "five" });
    expect(on.engine.named("shop-2-web-1")?.State.Running).toBe(true);
    on.edge.setConnections("shop", "d2-web-1", 0);
    await onlyLeft("shop-5-web-1");
  });
});

describe("what was rolled back from", () => {
  const bundles = { v1: digestOf("1"), v2: digestOf("2"), v3: digestOf("3") };
  const ship = (name: keyof typeof bundles, more: Parameters<typeof aRelease>[2] = {}) =>
    deploy(name, { program: saying(name), bundle: bundles[name], ...more });

  beforeEach(async () => {
    for (const name of ["v1", "v2", "v3"] as const) await ship(name);
    expect(await ship("v1", { rollbackTo: 1 })).toMatchObject({ state: "succeeded", result: { number: 4 } });
  });

  test("is refused with the reason before anything is begun, and staged neither", async () => {
    const generation = on.host.parts.get("shop", "bundle", operations["bundle.stage"].input);
    const ended = await ship("v3");
    expect(ended.error).toMatchObject({ code: "RELEASE_WITHDRAWN", details: { number: 3 } });
    expect(ended.error?.message).toContain("v3 was deployed as #3 of shop and withdrawn at 20");
    expect(ended.error?.message).toContain("#4 went back to #1");
    expect(ended.error?.hint).toContain("ikoma deploy apply --redeploy");
    const staging = { app: "shop", bundle: bundles.v3, images: [imageOf("v3")] };
    expect((await run(runner, "bundle.stage", staging)).error).toMatchObject({ code: "RELEASE_WITHDRAWN" });
    expect(on.host.parts.get("shop", "bundle", operations["bundle.stage"].input)).toEqual(generation);
    expect(on.host.deployments.history("shop", 1)).toMatchObject([{ number: 4, status: "current" }]);
    expect(await visit()).toMatchObject({ body: "v1" });
  });

  test("so is what was in between, and with another configuration", async () => {
    expect((await ship("v2")).error).toMatchObject({ code: "RELEASE_WITHDRAWN", details: { number: 2 } });
    expect((await ship("v3", { drainSeconds: 1 })).error).toMatchObject({ code: "RELEASE_WITHDRAWN" });
  });

  test("a run that changes nothing is not refused, nor is another bundle", async () => {
    expect(await ship("v1")).toMatchObject({ state: "succeeded", result: { number: 4, unchanged: true } });
    expect(await deploy("v4", { bundle: digestOf("4") })).toMatchObject({ state: "succeeded" });
  });

  test("comes back when that is meant, and is then on the list no more", async () => {
    expect(await ship("v3", { redeploy: true })).toMatchObject({ state: "succeeded", result: { number: 5 } });
    await deploy("v4", { bundle: digestOf("4") });
    expect(await ship("v3")).toMatchObject({ state: "succeeded", result: { number: 7 } });
    expect((await ship("v2")).error).toMatchObject({ code: "RELEASE_WITHDRAWN" });
  });

  test("a rollback to it is not refused and takes it off; the one that is left was no mistake", async () => {
    expect(await ship("v3", { rollbackTo: 3 })).toMatchObject({ state: "succeeded", result: { number: 5 } });
    expect(on.host.deployments.find("shop", 3)?.withdrawn).toBeUndefined();
    expect(await ship("v1")).toMatchObject({ state: "succeeded" });
  });

  test("stays refused after a restart of the agent, and says so in the history", async () => {
    runner = new OperationRunner(on.restart());
    expect((await ship("v3")).error).toMatchObject({ code: "RELEASE_WITHDRAWN" });
    const marked = on.host.deployments.history("shop", 9).filter((each) => each.withdrawn !== undefined);
    expect(marked.map((each) => each.number)).toEqual([3, 2]);
  });

  test("a rollback to a deployment that the ledger does not have is refused", async () => {
    expect((await ship("v3", { rollbackTo: 9 })).error).toMatchObject({ code: "NO_ROLLBACK_TARGET" });
    expect((await ship("v3", { rollbackTo: 2 })).error).toMatchObject({ code: "NO_ROLLBACK_TARGET" });
  });

  test("where only the configuration differed, only that is refused", async () => {
    await ship("v1", { drainSeconds: 1 });
    await ship("v1", { rollbackTo: 4 });
    expect((await ship("v1", { drainSeconds: 1 })).error).toMatchObject({ code: "RELEASE_WITHDRAWN" });
    expect(await ship("v1", { drainSeconds: 2 })).toMatchObject({ state: "succeeded" });
  });
});

describe("the bake", () => {
  const bake = { seconds: 0.6, minRequests: 20 };
  const next = { program: saying("two"), bundle: digestOf("2"), bake };

  beforeEach(async () => {
    await deploy("v1", { program: saying("one"), bundle: digestOf("1") });
  });

  function stepsOf(key: string, name: string): string[] {
    const events = on.host.journal.events(key, 0).filter((each) => each.name === name && each.type !== "phase");
    return events.map((each) => `${each.type} ${each.message}`);
  }

  async function goneBack(ended: OperationView): Promise<void> {
    expect(ended).toMatchObject({ state: "failed", phase: "baking", error: { code: "RELEASE_BAKE_FAILED" } });
    expect(await visit()).toEqual({ status: 200, body: "one" });
    await onlyLeft("shop-1-web-1");
    expect(on.host.deployments.history("shop", 2)).toMatchObject([
      { number: 2, status: "failed", note: ended.error?.message, withdrawn: ended.error?.message },
      { number: 1, status: "current" },
    ]);
    expect(stepsOf(ended.key, "undo")[0]).toMatch(/^step #1 \(v1\) serves again, \d+ ms after the verdict$/);
    expect((await deploy("v2", next)).error).toMatchObject({ code: "RELEASE_WITHDRAWN", details: { number: 2 } });
  }

  test("a good release passes it, and is the current one only then", async () => {
    on.edge.count("d2-web-1", 500, 5);
    const request = aRequest("release.apply", aRelease(on, "v2", next));
    runner.start(request);
    await waitUntil("visitors get it", async () => JSON.stringify(await visit()).includes("two"));
    expect(on.host.deployments.current("shop")?.number).toBe(1);
    expect(on.engine.named("shop-1-web-1")?.State.Running).toBe(true);
    expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({ state: "succeeded" });
    expect(stepsOf(request.key, "bake").at(-1)).toBe("step 0.6 of 0.6 s: 500 requests, 5 failed");
    expect(on.host.deployments.current("shop")?.number).toBe(2);
    await onlyLeft("shop-2-web-1");
  });

  test("answers of 5xx take it back at once, not at the end, with what it said last", async () => {
    on.edge.count("d2-web-1", 100, 40);
    const program = { ...saying("two"), lines: ["no such table: orders"] };
    const startedMs = performance.now();
    const ended = await deploy("v2", { ...next, program, bake: { seconds: 30 } });
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    expect(ended.error?.message).toContain("40 of 100 requests failed (40 %; 1 % is allowed)");
    expect(ended.error?.details).toMatchObject({ requests: 100, failed: 40 });
    expect(stepsOf(ended.key, "web")).toEqual(["log no such table: orders"]);
    await goneBack(ended);
  });

  test("so does a container that falls, and one that ran out of memory", async () => {
    const fall = async (change: object) => {
      const request = aRequest("release.apply", aRelease(on, "v2", { ...next, redeploy: true, bake: { seconds: 30 } }));
      runner.start(request);
      await waitUntil("it is baking", () => on.host.journal.find(request.key)?.phase === "baking");
      const { number = 0 } = on.host.journal.find(request.key) ?? {};
      Object.assign(on.engine.named(`shop-${number}-web-1`)?.State ?? {}, change);
      return (await runner.attach(request.key, 0, () => undefined)).error;
    };
    expect(await fall({ Status: "exited", Running: false, ExitCode: 7 })).toMatchObject({
      code: "RELEASE_BAKE_FAILED",
      message: expect.stringContaining("the service web fell (exit code 7)"),
    });
    expect(await fall({ OOMKilled: true })).toMatchObject({ message: expect.stringContaining("ran out of memory") });
    expect(await visit()).toMatchObject({ body: "one" });
  });

  test("it is taken back although the disk is full, and the ledger has it as soon as there is room", async () => {
    const disk = new FullDisk(on);
    const request = aRequest("release.apply", aRelease(on, "v2", { ...next, bake: { seconds: 30 } }));
    runner.start(request);
    await waitUntil("it is baking", () => on.host.journal.find(request.key)?.phase === "baking");
    disk.isFull = true;
    Object.assign(on.engine.named("shop-2-web-1")?.State ?? {}, { Status: "exited", Running: false, ExitCode: 7 });
    await onlyLeft("shop-1-web-1");
    expect(await visit()).toEqual({ status: 200, body: "one" });
    expect(on.host.journal.find(request.key)?.state).toBe("running");
    disk.isFull = false;
    const ended = await runner.attach(request.key, 0, () => undefined);
    expect(ended.error).toMatchObject({ code: "RELEASE_BAKE_FAILED" });
    expect(on.host.deployments.history("shop", 1)).toMatchObject([
      { number: 2, status: "failed", withdrawn: ended.error?.message },
    ]);
  });

  test("so does one whose health check fails again and again", async () => {
    const isBaking = (): boolean => on.host.journal.running().some(({ phase }) => phase === "baking");
    const answer = () => (isBaking() ? { status: 503, body: "no database" } : { status: 200, body: "two" });
    const ended = await deploy("v2", { ...next, program: { answer }, bake: { seconds: 30 } });
    expect(ended.error?.message).toContain("is not healthy any more: GET / on port 8080: status 503: no database");
  });

  test("a server that somebody takes from the edge is no fault of the release", async () => {
    const request = aRequest("release.apply", aRelease(on, "v2", { ...next, bake: { seconds: 30 } }));
    runner.start(request);
    await waitUntil("it is baking", () => on.host.journal.find(request.key)?.phase === "baking");
    await on.edge.switchTo({ app: "shop", domains: [], routes: [], servers: [] });
    const ended = await runner.attach(request.key, 0, () => undefined);
    expect(ended.error).toMatchObject({ code: "EDGE_FAILED" });
    expect(await visit()).toMatchObject({ body: "one" });
    expect(await deploy("v2", next)).toMatchObject({ state: "succeeded" });
  });

  test("a cancel in it goes back and withdraws nothing", async () => {
    const request = aRequest("release.apply", aRelease(on, "v2", { ...next, bake: { seconds: 30 } }));
    runner.start(request);
    await waitUntil("it is baking", () => on.host.journal.find(request.key)?.phase === "baking");
    runner.cancel(request.key);
    expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({ state: "cancelled" });
    expect(await visit()).toMatchObject({ body: "one" });
    expect(await deploy("v2", next)).toMatchObject({ state: "succeeded" });
  });

  test("too few requests are not judged, but told", async () => {
    on.edge.count("d2-web-1", 5, 5);
    const ended = await deploy("v2", next);
    expect(ended).toMatchObject({ state: "succeeded" });
    expect(stepsOf(ended.key, "bake").at(-1)).toBe("warning 5 requests, 5 failed: too few to judge by (20 are needed)");
  });

  test("an app's first release serves on although it is bad: there is nothing to go back to", async () => {
    on.edge.count("d1-web-1", 100, 40);
    const first = { app: "blog", program: saying("blog"), bake };
    await run(runner, "site.apply", { app: "blog", domains: ["blog.example"] });
    const ended = await deploy("v1", first);
    expect(ended).toMatchObject({ state: "succeeded", result: { number: 1 } });
    expect(stepsOf(ended.key, "bake").at(-1)).toMatch(
      /^warning .*40 of 100.*no release to go back to, so #1 serves on\.$/,
    );
    expect(await visit("blog.example")).toMatchObject({ body: "blog" });
    expect(on.host.deployments.current("blog")?.note).toContain("40 of 100");
  });

  test("a rollback is not watched: it goes away from something worse", async () => {
    await deploy("v2", { ...next, bake: { seconds: 0 } });
    on.edge.count("d3-web-1", 100, 100);
    const back = { program: saying("one"), bundle: digestOf("1"), rollbackTo: 1, bake: { seconds: 3600 } };
    expect(await deploy("v1", back)).toMatchObject({ state: "succeeded", result: { number: 3 } });
  });

  test("is not repeated where nothing changed, or a container is merely put up again", async () => {
    await deploy("v2", next);
    const again = await deploy("v2", { ...next, bake: { seconds: 3600 } });
    expect(again).toMatchObject({ result: { unchanged: true } });
    await on.engine.crash(on.engine.named("shop-2-web-1")?.Id ?? "", 137);
    expect(await deploy("v2", { ...next, bake: { seconds: 3600 } })).toMatchObject({ result: { number: 2 } });
  });
});

test("a release that failed before it served may be tried again", async () => {
  await deploy("v1", { bundle: digestOf("1") });
  const bad = { bundle: digestOf("2"), program: { exitCode: 3 } };
  expect((await deploy("v2", bad)).error).toMatchObject({ code: "RELEASE_CRASHED" });
  expect((await deploy("v2", bad)).error).toMatchObject({ code: "RELEASE_CRASHED" });
  expect(await deploy("v2", { bundle: digestOf("2") })).toMatchObject({ state: "succeeded" });
});

describe("at the moment of the switch", () => {
  test("a failure after the ledger says current undoes nothing: the release serves and the deploy is good", async () => {
    await deploy("v1", { program: saying("one") });
    const { edge } = on;
    const switchTo = edge.switchTo.bind(edge);
    edge.switchTo = async (app, committed) => {
      if (committed !== undefined) edge.failures.set("persist", new IkomaError("EDGE_FAILED", "no space left"));
      await switchTo(app, committed).finally(() => {
        edge.failures.clear();
      });
    };
    const ended = await deploy("v2", { program: saying("two") });
    expect(ended).toMatchObject({ state: "succeeded", result: { number: 2 } });
    expect(JSON.stringify(on.host.journal.events(ended.key, 0))).toContain("no space left");
    expect(await visit()).toMatchObject({ body: "two" });
    expect(on.edge.onDisk?.apps).toMatchObject([{ servers: [{ name: "d2-web-1" }] }]);
    await onlyLeft("shop-2-web-1");
  });

  test("a cancel that comes after it is too late", async () => {
    const path = join(on.host.paths.hold, "switched");
    await writeFile(path, "");
    const request = aRequest("release.apply", aRelease(on, "v1"));
    runner.start(request);
    await waitUntil("it has switched", () => on.host.journal.find(request.key)?.phase === "switched");
    runner.cancel(request.key);
    expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({
      state: "succeeded",
      result: { number: 1 },
    });
    await rm(path);
    expect(on.host.deployments.current("shop")?.number).toBe(1);
  });
});

describe("two apps at once", () => {
  test("both come to serve, and neither takes the other's backends away", async () => {
    for (const app of ["shop", "blog"]) await run(runner, "site.apply", { app, domains: [`${app}.example`] });
    const hold = join(on.host.paths.hold, "switching");
    await writeFile(hold, "");
    const requests = ["shop", "blog"].map((app) =>
      aRequest("release.apply", aRelease(on, `${app}-v1`, { app, program: saying(app) }), { holder: aHolder() }),
    );
    for (const request of requests) runner.start(request);
    await waitUntil("both are about to switch", () =>
      requests.every((each) => on.host.journal.find(each.key)?.phase === "switching"),
    );
    // A reload for a third one.
    expect(await run(runner, "site.apply", { app: "docs", domains: ["docs.example"] })).toMatchObject({
      state: "succeeded",
    });
    await rm(hold);
    for (const { key } of requests)
      expect(await runner.attach(key, 0, () => undefined)).toMatchObject({ state: "succeeded" });
    expect(await visit("shop.example")).toMatchObject({ body: "shop" });
    expect(await visit("blog.example")).toMatchObject({ body: "blog" });
  });

  test("an app whose images are merely staged does not stand in the way of one that serves every host name", async () => {
    on.engine.pullable.set(imageOf("blog"), {});
    await run(runner, "bundle.stage", { app: "blog", bundle: `sha256:${"b".repeat(64)}`, images: [imageOf("blog")] });
    expect(await deploy("v1", { program: saying("one") })).toMatchObject({ state: "succeeded" });
    expect(await visit("anything.example")).toMatchObject({ body: "one" });
  });

  test("a second app for every host name is refused, and the first serves on", async () => {
    await deploy("v1", { program: saying("one") });
    const second = await deploy("b1", { app: "blog", program: saying("blog") });
    expect(second.error).toMatchObject({ code: "CONFIG_INVALID" });
    expect(await visit()).toMatchObject({ body: "one" });
    expect(await deploy("v2", { program: saying("two") })).toMatchObject({ state: "succeeded" });
  });
});

describe("images", () => {
  const stage = (name: string) => {
    on.engine.pullable.set(imageOf(name), { ports: [webPort] });
    return run(runner, "bundle.stage", { app: "shop", bundle: `sha256:${"a".repeat(64)}`, images: [imageOf(name)] });
  };

  test("of releases beyond those kept go; one that the agent did not bring stays", async () => {
    on.engine.images.set(imageOf("v0"), { ports: [webPort] });
    for (const name of ["v0", "v1", "v2", "v3"]) {
      await stage(name);
      await deploy(name, { keep: 1 });
    }
    await waitUntil("the first is pruned", () => !on.engine.images.has(imageOf("v1")));
    expect([...on.engine.images.keys()]).toEqual([imageOf("v0"), imageOf("v2"), imageOf("v3")]);
    expect(on.host.deployments.history("shop", 9).map((each) => each.status)).toEqual([
      "current",
      "good",
      "pruned",
      "pruned",
    ]);
  });

  test("and everything else are gone when the app is", async () => {
    await stage("v1");
    await deploy("v1");
    const holder = aHolder();
    for (const kind of ["release.remove", "accessories.remove", "site.remove", "bundle.remove"] as const) {
      expect(await run(runner, kind, { app: "shop" }, { holder })).toMatchObject({ state: "succeeded" });
    }
    expect(on.engine.containers.size + on.engine.networks.size + on.engine.images.size).toBe(0);
    expect(on.host.parts.apps()).toEqual([]);
    expect(on.host.subnets.owners()).toEqual([]);
    expect(await visit()).toMatchObject({ status: 503 });
  });
});
