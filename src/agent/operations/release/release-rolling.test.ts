import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Crashes, phasesWith } from "../../../../test/doubles/host/crash.ts";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { aRelease, aRequest, digestOf, imageOf, run } from "../../../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../../../test/lab/wait-until.ts";
import { probe } from "../../gate/http-probe.ts";
import type { ReleasePhase } from "../../protocol/phases.ts";
import { readRelease } from "../../reading/read-release.ts";
import { isRouted } from "../upkeep/converge.ts";
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
  await on.dispose();
});

type Changes = Parameters<typeof aRelease>[2] & { replicas?: number };

function release(name: string, { replicas = 3, program, ...more }: Changes = {}) {
  const services = { web: { kind: "web", image: imageOf(name), deploy: { replicas } } };
  const answer = () => ({ status: 200, body: name });
  return aRelease(on, name, { services, strategy: "rolling", program: { answer, ...program }, ...more });
}

function deploy(name: string, more: Changes = {}) {
  return run(runner, "release.apply", release(name, more));
}

async function visit(): Promise<unknown> {
  return probe(
    { address: "127.0.0.1", port: on.host.settings.httpPort },
    { path: "/", host: "localhost", timeoutMs: 5000 },
  );
}

function steps(key: string): string[] {
  return on.host.journal
    .events(key, 0)
    .flatMap(({ type, name, message }) => (type === "step" && name === "rolling" ? [message] : []));
}

/** Just these containers run, the edge serves them, and nothing is left of what was in between. */
async function serves(name: string, number: number, replicas = 3): Promise<void> {
  expect(await visit()).toMatchObject({ body: name });
  await waitUntil("nothing else is left", () => on.engine.containers.size === replicas);
  const found = [...on.engine.containers.values()];
  expect(found.map((each) => each.Config.Labels["dev.ikoma.deployment"])).toEqual(
    Array.from({ length: replicas }, () => String(number)),
  );
  expect(found.every((each) => each.State.Running && each.HostConfig.RestartPolicy.Name === "unless-stopped")).toBe(
    true,
  );
  expect(await isRouted(on.host, "shop")).toBe(true);
  expect(on.host.standingDown.size).toBe(0);
}

describe("a release that rolls", () => {
  test("takes the place of the old one replica by replica, with one more than usual at most", async () => {
    await deploy("v1");
    on.engine.most = 0;
    const ended = await deploy("v2");
    expect(ended).toMatchObject({ state: "succeeded", result: { number: 2 } });
    expect(steps(ended.key)).toEqual(["1 of 3 serve", "2 of 3 serve", "3 of 3 serve"]);
    expect(on.engine.most).toBe(4);
    await serves("v2", 2);
  });

  test("takes as many at a time as it is told, and changes their number", async () => {
    await deploy("v1", { replicas: 4 });
    on.engine.most = 0;
    const ended = await deploy("v2", { replicas: 6, strategy: { rolling: { maxParallel: 2 } } });
    expect(steps(ended.key)).toEqual(["2 of 6 serve", "4 of 6 serve", "6 of 6 serve"]);
    expect(on.engine.most).toBe(7); // six new ones, and the last old one
    await serves("v2", 2, 6);
    await deploy("v3", { replicas: 2 });
    await serves("v3", 3, 2);
  });

  test("starts all at once where it is an app's first", async () => {
    const ended = await deploy("v1");
    expect(steps(ended.key)).toEqual([]);
    await serves("v1", 1);
  });

  test("leaves the old one alone where that has no service and port in common with it", async () => {
    await deploy("v1");
    const services = { shopfront: { kind: "web", image: imageOf("v1"), deploy: { replicas: 2 } } };
    const routes = [{ path: "/", service: "shopfront", port: 8080 }];
    const ended = await run(runner, "release.apply", aRelease(on, "v1", { services, routes, strategy: "rolling" }));
    expect(ended).toMatchObject({ state: "succeeded", result: { number: 2 } });
    await waitUntil("two are left", () => on.engine.containers.size === 2);
  });

  test("is read as the release before, without a drift, until it is decided", async () => {
    await deploy("v1");
    const { spec } = on.host.deployments.input("shop", 1) ?? release("v1");
    const request = aRequest("release.apply", release("v2", { bake: { seconds: 30 } }));
    runner.start(request);
    await waitUntil("one serves", () => steps(request.key).length > 0);
    expect(await readRelease(on.host, "shop", spec)).toMatchObject({ number: 1, drift: [] });
    runner.cancel(request.key);
    expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({ state: "cancelled" });
    await serves("v1", 1);
  });
});

describe("when it fails, all of the old one serves again:", () => {
  beforeEach(async () => {
    await deploy("v1", { bundle: digestOf("1") });
    on.engine.most = 0;
  });

  test("at its first replica, which visitors never saw", async () => {
    expect(await deploy("v2", { program: { exitCode: 1 } })).toMatchObject({ error: { code: "RELEASE_CRASHED" } });
    await serves("v1", 1);
  });

  test("at a later one, with no more containers than before", async () => {
    // Not by a number of probes: on a busy machine one may be given up before its answer comes.
    const isFirstServing = (): boolean => on.host.journal.running().some(({ key }) => steps(key).length > 0);
    const answer = () => ({ status: isFirstServing() ? 503 : 200, body: "v2" });
    const ended = await deploy("v2", { program: { answer }, bundle: digestOf("2"), health: { timeoutSeconds: 3 } });
    expect(ended).toMatchObject({ error: { code: "RELEASE_UNHEALTHY" } });
    expect(steps(ended.key).length).toBeGreaterThan(0);
    expect(on.engine.most).toBe(4);
    await serves("v1", 1);
    expect(await deploy("v2", { bundle: digestOf("2") })).toMatchObject({ error: { code: "RELEASE_WITHDRAWN" } });
  });

  test("in its bake, when one of the old is left", async () => {
    const request = aRequest("release.apply", release("v2", { bake: { seconds: 30, minRequests: 1 } }));
    runner.start(request);
    await waitUntil("it bakes", () => on.host.journal.find(request.key)?.phase === "baking");
    for (const replica of [1, 2, 3]) on.edge.count(`d2-web-${replica}`, 30, 30);
    expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({
      error: { code: "RELEASE_BAKE_FAILED" },
    });
    expect(on.engine.most).toBe(4);
    await serves("v1", 1);
  });
});

describe("a crash leaves all replicas of the release that the ledger has, in the phase", () => {
  const { undone, done } = phasesWith("rolling");
  const isDone = (phase: ReleasePhase): boolean => done.includes(phase);

  test.each([...undone, ...done])("%s", async (phase) => {
    await deploy("v1");
    await crashes.in(phase, release("v2"));
    await crashes.restart();
    await serves(isDone(phase) ? "v2" : "v1", isDone(phase) ? 2 : 1);
  });

  test.each([1, 2, 3])("rolling, when %s serve", async (count) => {
    await deploy("v1");
    on.engine.most = 0;
    // With a bake nothing can be decided before the crash.
    const next = release("v2", { bake: { seconds: 30 } });
    await crashes.when("so many serve", next, (key) => steps(key).length === count);
    await crashes.restart();
    await serves("v1", 1);
    expect(on.engine.most).toBe(4);
  });
});
