import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Crashes, phasesWith } from "../../../../test/doubles/host/crash.ts";
import { FullDisk } from "../../../../test/doubles/host/full-disk.ts";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { aRelease, aRequest, digestOf, imageOf, run, webPort } from "../../../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../../../test/lab/wait-until.ts";
import { probe } from "../../gate/http-probe.ts";
import type { ReleasePhase } from "../../protocol/phases.ts";
import { readRelease } from "../../reading/read-release.ts";
import { Sweep } from "../../sweep.ts";
import { OperationRunner } from "../operation-runner.ts";

let on: TestHost;
let crashes: Crashes;
let runner: OperationRunner;

beforeEach(async () => {
  on = await TestHost.create();
  crashes = new Crashes(on);
  runner = new OperationRunner(on.host);
});

afterEach(async () => {
  expect(on.engine.together).toEqual([]);
  await on.dispose();
});

type Changes = Parameters<typeof aRelease>[2];

/** A release of which nothing may run beside another one. */
function alone(name: string, { program, ...more }: Changes = {}) {
  const answer = () => ({ status: 200, body: name });
  return aRelease(on, name, { program: { answer, alone: "web", ...program }, strategy: "replace", ...more });
}

function deploy(name: string, more: Changes = {}) {
  return run(runner, "release.apply", alone(name, more));
}

async function visit(): Promise<unknown> {
  return probe(
    { address: "127.0.0.1", port: on.host.settings.httpPort },
    { path: "/", host: "localhost", timeoutMs: 15_000 },
  );
}

function steps(key: string): string[] {
  return on.host.journal.events(key, 0).map(({ name, message }) => `${name} ${message}`);
}

async function serves(name: string, number: number): Promise<void> {
  expect(await visit()).toMatchObject({ body: name });
  await waitUntil("nothing else is left", () => on.engine.containers.size === 1 && on.engine.networks.size === 1);
  const web = on.engine.named(`shop-${number}-web-1`);
  expect(web).toMatchObject({ State: { Running: true }, HostConfig: { RestartPolicy: { Name: "unless-stopped" } } });
  expect(on.edge.isHeld("shop")).toBe(false);
  expect(on.host.standingDown.size).toBe(0);
}

describe("a release that takes the place of one that is stopped first", () => {
  test("serves, and who asked meanwhile was answered by it", async () => {
    expect(await deploy("v1")).toMatchObject({ state: "succeeded" });
    await writeFile(join(on.host.paths.hold, "gating"), "");
    const request = aRequest("release.apply", alone("v2"));
    runner.start(request);
    await waitUntil("it is gated", () => on.host.journal.find(request.key)?.phase === "gating");
    const asked = visit();
    const { spec } = on.host.deployments.input("shop", 1) ?? alone("v1");
    expect(await readRelease(on.host, "shop", spec)).toMatchObject({ number: 1, drift: [] });
    await rm(join(on.host.paths.hold, "gating"));
    expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({ result: { number: 2 } });
    expect(await asked).toMatchObject({ status: 200, body: "v2" });
    expect(steps(request.key).join("\n")).toMatch(/\naway nothing served for \d+ ms/);
    await serves("v2", 2);
  });

  test("waits until what the one before had begun has ended, but not for long", async () => {
    await deploy("v1", { drainSeconds: 1 });
    const request = aRequest("release.apply", alone("v2", { drainSeconds: 1 }));
    on.edge.setConnections("shop", "d1-web-1", 1);
    runner.start(request);
    await waitUntil("the edge drains it", async () => (await on.edge.served("shop")).servers[0]?.state === "drain");
    expect(on.engine.named("shop-1-web-1")?.State.Running).toBe(true);
    expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({ state: "succeeded" });
    await serves("v2", 2);
  });

  test("is the first one, or follows none that serves, without waiting for anybody", async () => {
    const first = await deploy("v1");
    expect(first).toMatchObject({ state: "succeeded" });
    expect(steps(first.key).join("\n")).not.toContain("away");
    expect(on.edge.calls).not.toContain("hold");
    await serves("v1", 1);
  });

  test("has nobody wait for what no request goes to", async () => {
    const workers = {
      services: { web: { kind: "worker", image: imageOf("v1"), healthcheck: { test: "true" } } },
      routes: [],
    };
    expect(await deploy("v1", workers)).toMatchObject({ state: "succeeded" });
    expect(await deploy("v1", { ...workers, drainSeconds: 1 })).toMatchObject({ result: { number: 2 } });
    expect(on.edge.isHeld("shop")).toBe(false);
  });

  test("ends what drains of an earlier one too", async () => {
    const beside = { strategy: "switch" as const };
    expect(await deploy("v1", { ...beside, drainSeconds: 3600 })).toMatchObject({ state: "succeeded" });
    on.engine.images.set(imageOf("v1"), { ports: [webPort] });
    on.edge.setConnections("shop", "d1-web-1", 1);
    expect(await deploy("v2", beside)).toMatchObject({ state: "succeeded" });
    on.engine.images.set(imageOf("v1"), { ports: [webPort], alone: "web" });
    expect(on.engine.named("shop-1-web-1")?.State.Running).toBe(true);
    const ended = deploy("v3");
    await waitUntil("the first has ended", () => on.engine.named("shop-1-web-1")?.State.Running !== true);
    on.edge.setConnections("shop", "d1-web-1", 0);
    expect(await ended).toMatchObject({ state: "succeeded" });
    await serves("v3", 3);
  });
});

describe("when it fails, the one before is started again and serves:", () => {
  beforeEach(async () => {
    await deploy("v1", { bundle: digestOf("1") });
  });

  test("at its gate", async () => {
    const ended = await deploy("v2", { program: { exitCode: 1 } });
    expect(ended).toMatchObject({ error: { code: "RELEASE_CRASHED" } });
    expect(steps(ended.key).join("\n")).toMatch(/undo #1 \(v1\) serves again, \d+ ms after the verdict/);
    await serves("v1", 1);
  });

  test("at its gate, although the disk is full", async () => {
    const disk = new FullDisk(on);
    await writeFile(join(on.host.paths.hold, "gating"), "");
    const request = aRequest("release.apply", alone("v2", { program: { exitCode: 1 } }));
    runner.start(request);
    await waitUntil("it is gated", () => on.host.journal.find(request.key)?.phase === "gating");
    disk.isFull = true;
    await rm(join(on.host.paths.hold, "gating"));
    await serves("v1", 1);
    disk.isFull = false;
    const ended = await runner.attach(request.key, 0, () => undefined);
    expect(ended).toMatchObject({ state: "failed", error: { code: "RELEASE_CRASHED" } });
    expect(on.host.deployments.history("shop", 1)).toMatchObject([{ number: 2, status: "failed" }]);
  });

  test("at its smoke check", async () => {
    const ended = await deploy("v2", { smoke: [{ path: "/", contains: "right" }] });
    expect(ended).toMatchObject({ error: { code: "RELEASE_SMOKE_FAILED" } });
    await serves("v1", 1);
  });

  test("in its bake, and it is withdrawn", async () => {
    const bad = { bake: { seconds: 30, minRequests: 1 }, bundle: digestOf("2") };
    const request = aRequest("release.apply", alone("v2", bad));
    runner.start(request);
    await waitUntil("it bakes", () => on.host.journal.find(request.key)?.phase === "baking");
    on.edge.count("d2-web-1", 30, 30);
    const ended = await runner.attach(request.key, 0, () => undefined);
    expect(ended).toMatchObject({ error: { code: "RELEASE_BAKE_FAILED" } });
    await serves("v1", 1);
    expect(await deploy("v2", bad)).toMatchObject({ error: { code: "RELEASE_WITHDRAWN" } });
  });

  test("because it was cancelled while the old one drained", async () => {
    on.edge.setConnections("shop", "d1-web-1", 1);
    const request = aRequest("release.apply", alone("v2", { drainSeconds: 5 }));
    runner.start(request);
    await waitUntil("it yields", () => on.edge.isHeld("shop"));
    runner.cancel(request.key);
    expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({ state: "cancelled" });
    on.edge.setConnections("shop", "d1-web-1", 0);
    await serves("v1", 1);
  });

  test("although that one has become slow to start, and who asked waited", async () => {
    let ready = false;
    on.engine.images.set(imageOf("v1"), {
      ports: [webPort],
      alone: "web",
      answer: () => (ready ? { status: 200, body: "v1" } : { status: 503, body: "starting" }),
    });
    const ending = deploy("v2", { program: { exitCode: 1 } });
    await waitUntil("v1 starts again", () =>
      on.engine.calls.some((each) => /^POST \/containers\/\w+\/start$/.test(each)),
    );
    const asked = visit();
    ready = true;
    expect(await asked).toMatchObject({ status: 200, body: "v1" });
    expect(await ending).toMatchObject({ error: { code: "RELEASE_CRASHED" } });
    await serves("v1", 1);
  });
});

describe("a crash leaves exactly the release that the ledger has, and it serves, in the phase", () => {
  const { undone, done } = phasesWith("yielding");
  const isDone = (phase: ReleasePhase): boolean => done.includes(phase);

  test.each([...undone, ...done])("%s", async (phase) => {
    await deploy("v1");
    await crashes.in(phase, alone("v2"));
    await crashes.restart();
    if (isDone(phase)) await serves("v2", 2);
    else await serves("v1", 1);
  });

  test("gating, as soon as an engine that did not answer at the start does", async () => {
    await deploy("v1");
    await crashes.in("gating", alone("v2"));
    on.engine.refusals.set("GET /containers/json", { status: 500, message: "the engine is still starting" });
    await crashes.restart();
    on.engine.refusals.clear();
    expect(on.engine.named("shop-1-web-1")?.State.Running).toBe(false);
    await new Sweep(on.host, new OperationRunner(on.host)).once();
    await on.host.containers.remove("ikoma-edge");
    await serves("v1", 1);
  });

  test("yielding, when the edge holds requests and the old one still runs", async () => {
    await deploy("v1", { drainSeconds: 30 });
    on.edge.setConnections("shop", "d1-web-1", 1);
    await crashes.when("it yields", alone("v2", { drainSeconds: 30 }), () => on.edge.isHeld("shop"));
    const asked = visit();
    await crashes.restart();
    expect(await asked).toMatchObject({ body: "v1" });
    await serves("v1", 1);
  });
});
