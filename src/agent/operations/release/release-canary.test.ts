import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Crashes, phasesWith } from "../../../../test/doubles/host/crash.ts";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { aRelease, aRequest, digestOf, run } from "../../../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../../../test/lab/wait-until.ts";
import type { ReleasePhase } from "../../protocol/phases.ts";
import { readRelease } from "../../reading/read-release.ts";
import { isRouted } from "../upkeep/converge.ts";
import { OperationRunner } from "../operation-runner.ts";

let on: TestHost;
let crashes: Crashes;
let runner: OperationRunner;
let firstKey: string;

const strategy = { canary: { steps: [10, 50].map((percent) => ({ percent, seconds: 0.3 })) } };
const long = { canary: { steps: [{ percent: 10, seconds: 30 }] } };

beforeEach(async () => {
  on = await TestHost.create();
  crashes = new Crashes(on);
  runner = new OperationRunner(on.host);
  ({ key: firstKey } = await deploy("v1", { bundle: digestOf("1") }));
});

afterEach(async () => {
  await on.dispose();
});

type Changes = Parameters<typeof aRelease>[2];

function release(name: string, more: Changes = {}) {
  return aRelease(on, name, { program: { answer: () => ({ status: 200, body: name }) }, strategy, ...more });
}

function deploy(name: string, more: Changes = {}) {
  return run(runner, "release.apply", release(name, more));
}

function steps(key: string, name: string): string[] {
  return on.host.journal
    .events(key, 0)
    .filter((each) => each.name === name)
    .map(({ message }) => message);
}

async function serves(name: string): Promise<void> {
  const [server, ...others] = (await on.edge.served("shop")).servers.filter((each) => each.state === "ready");
  expect(server).toMatchObject({ name, weight: 1 });
  expect(others).toEqual([]);
  expect(await isRouted(on.host, "shop")).toBe(true);
  await waitUntil("one is left", () => on.engine.containers.size === 1);
}

describe("a canary", () => {
  test("gets its visitors step by step, then all; an app's first release gets all at once", async () => {
    const ended = await deploy("v2");
    expect(ended).toMatchObject({ state: "succeeded", result: { number: 2 } });
    expect(steps(ended.key, "canary")).toEqual([
      "10 % of the requests go to #2, for 0.3 s",
      "50 % of the requests go to #2, for 0.3 s",
    ]);
    await serves("d2-web-1");
    const phases = on.host.journal.events(ended.key, 0).filter((each) => each.type === "phase");
    expect(phases.map(({ name }) => name).slice(4, 8)).toEqual(["smoking", "shifting", "switching", "baking"]);
    expect(steps(firstKey, "canary")).toEqual([]);
  });

  test("that is bad loses its visitors, is removed and withdrawn", async () => {
    const bad = { strategy: long, bundle: digestOf("2"), bake: { minRequests: 5 } };
    const request = aRequest("release.apply", release("v2", bad));
    runner.start(request);
    await waitUntil("it has its share", () => steps(request.key, "canary").length === 1);
    on.edge.count("d2-web-1", 10, 10);
    const ended = await runner.attach(request.key, 0, () => undefined);
    expect(ended).toMatchObject({ error: { code: "RELEASE_BAKE_FAILED" } });
    expect(steps(request.key, "undo").join()).toMatch(/#1 \(v1\) serves again/);
    await serves("d1-web-1");
    expect(await deploy("v2", bad)).toMatchObject({ error: { code: "RELEASE_WITHDRAWN" } });
  });

  test("that crashes at its last step goes as well, and so does one that is cancelled", async () => {
    const request = aRequest("release.apply", release("v2", { strategy: long }));
    runner.start(request);
    await waitUntil("it has its share", () => steps(request.key, "canary").length === 1);
    await on.engine.crash(on.engine.named("shop-2-web-1")?.Id ?? "", 1);
    expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({
      error: { code: "RELEASE_BAKE_FAILED" },
    });
    await serves("d1-web-1");
    const next = aRequest("release.apply", release("v3", { strategy: long, redeploy: true }));
    runner.start(next);
    await waitUntil("it has its share", () => steps(next.key, "canary").length === 1);
    runner.cancel(next.key);
    expect(await runner.attach(next.key, 0, () => undefined)).toMatchObject({ state: "cancelled" });
    await serves("d1-web-1");
  });

  test("is read as the release before, without a drift, until it is decided", async () => {
    const { spec } = on.host.deployments.input("shop", 1) ?? release("v1");
    const request = aRequest("release.apply", release("v2", { strategy: long }));
    runner.start(request);
    await waitUntil("it has its share", () => steps(request.key, "canary").length === 1);
    expect(await readRelease(on.host, "shop", spec)).toMatchObject({ number: 1, drift: [] });
    runner.cancel(request.key);
    await runner.attach(request.key, 0, () => undefined);
  });

  test("is left out by a rollback, and where the next release has other services", async () => {
    await deploy("v2", { bundle: digestOf("2") });
    const back = await deploy("v1", { bundle: digestOf("1"), rollbackTo: 1, strategy: long });
    expect(back).toMatchObject({ state: "succeeded" });
    expect(steps(back.key, "canary")).toEqual([expect.stringContaining("left out: a rollback")]);
    const services = { shopfront: { kind: "web", image: release("v3").spec.services["web"]?.image } };
    const routes = [{ path: "/", service: "shopfront", port: 8080 }];
    const other = await deploy("v3", { bundle: digestOf("3"), services, routes, strategy: long });
    expect(other).toMatchObject({ state: "succeeded" });
    expect(steps(other.key, "canary")).toEqual([expect.stringContaining("left out: no service and port of #3")]);
  });
});

describe("a crash in a deploy with a canary goes back, or forward where it was decided, in the phase", () => {
  const { undone, done } = phasesWith("shifting");
  const isDone = (phase: ReleasePhase): boolean => done.includes(phase);

  test.each([...undone, ...done])("%s", async (phase) => {
    await crashes.in(phase, release("v2"));
    await crashes.restart();
    await serves(isDone(phase) ? "d2-web-1" : "d1-web-1");
  });

  test("shifting, while it has its share", async () => {
    const key = await crashes.when(
      "it has its share",
      release("v2", { strategy: long }),
      (started) => steps(started, "canary").length === 1,
    );
    await crashes.restart();
    expect(on.host.journal.find(key)?.view).toMatchObject({ error: { code: "RELEASE_INTERRUPTED" } });
    await serves("d1-web-1");
  });

  test("shifting, held and let go again: it goes on", async () => {
    await writeFile(join(on.host.paths.hold, "shifting"), "");
    const ending = deploy("v2");
    await waitUntil("it is held", () => on.host.journal.running()[0]?.phase === "shifting");
    await rm(join(on.host.paths.hold, "shifting"));
    expect(await ending).toMatchObject({ state: "succeeded" });
    await serves("d2-web-1");
  });
});
