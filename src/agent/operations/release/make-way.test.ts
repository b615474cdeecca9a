import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Crashes, phasesWith } from "../../../../test/doubles/host/crash.ts";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { aRelease, aRequest, imageOf, run, webPort } from "../../../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../../../test/lab/wait-until.ts";
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

type Changes = Parameters<typeof aRelease>[2] & { worker?: object };

/** A release of a web and of a worker of which there may be only one. */
function withQueue(name: string, { worker = { overlap: false }, ...more }: Changes = {}) {
  on.engine.images.set(imageOf(`queue-${name}`), { alone: "queue" });
  const services = {
    web: { kind: "web", image: imageOf(name) },
    queue: { kind: "worker", image: imageOf(`queue-${name}`), healthcheck: { test: "true" }, ...worker },
  };
  return aRelease(on, name, { services, ...more });
}

function deploy(name: string, more: Changes = {}) {
  return run(runner, "release.apply", withQueue(name, more));
}

/** Name, state and restart policy of each worker. */
function queues(): string[] {
  const found = [...on.engine.containers.values()].filter(({ Name }) => Name.includes("-queue-"));
  return found.map(({ Name, State, HostConfig }) => `${Name} ${State.Status} ${HostConfig.RestartPolicy.Name}`);
}

const first = ["/shop-1-queue-1 running unless-stopped"];
const second = ["/shop-2-queue-1 running unless-stopped"];

async function settled(wanted: string[]): Promise<void> {
  await waitUntil(`there is ${wanted.join()}`, () => queues().join() === wanted.join());
}

describe("a worker that must not run twice", () => {
  test("ends before the next release starts, and the next one starts when the web serves", async () => {
    await deploy("v1");
    expect(await deploy("v2")).toMatchObject({ state: "succeeded", result: { number: 2 } });
    const calls = on.engine.calls;
    const stopped = calls.findIndex((each) => each.endsWith("/stop"));
    const starts = calls.flatMap((each, index) => (each.includes("compose-up") ? [index] : []));
    expect(stopped).toBeGreaterThan(starts[1] ?? 0); // those of v1: its web, its worker
    expect(stopped).toBeLessThan(starts[2] ?? 0);
    await settled(second);
    expect(on.host.standingDown.size).toBe(0);
  });

  test("ends also where only the next release says so, and where only the one before did", async () => {
    await deploy("v1", { worker: {} });
    await deploy("v2");
    await settled(second);
    await deploy("v3", { worker: {} });
    await settled(["/shop-3-queue-1 running unless-stopped"]);
  });

  test("ends where the next release has another in its place", async () => {
    await deploy("v1");
    on.engine.images.set(imageOf("scheduler"), { alone: "queue" });
    const scheduler = { kind: "worker", image: imageOf("scheduler"), healthcheck: { test: "true" }, overlap: false };
    const web = { kind: "web", image: imageOf("v2") };
    const ended = await run(runner, "release.apply", aRelease(on, "v2", { services: { web, scheduler } }));
    expect(ended.state).toBe("succeeded");
    await waitUntil("the first is gone", () => on.engine.containers.size === 2);
    expect(on.engine.named("shop-2-scheduler-1")?.State.Running).toBe(true);
  });

  test("is no reason for anything where none of the two has one", async () => {
    const web = (name: string) => aRelease(on, name);
    await run(runner, "release.apply", web("v1"));
    const ended = await run(runner, "release.apply", web("v2"));
    expect(on.host.journal.events(ended.key, 0).map((each) => each.name)).not.toContain("yielding");
  });
});

describe("a release that is taken back", () => {
  beforeEach(async () => {
    await deploy("v1");
  });

  async function takenBack(): Promise<void> {
    await settled(first);
    expect(on.host.standingDown.size).toBe(0);
    expect(on.host.deployments.current("shop")?.number).toBe(1);
  }

  test("by its gate", async () => {
    expect(await deploy("v2", { program: { exitCode: 1 } })).toMatchObject({ error: { code: "RELEASE_CRASHED" } });
    await takenBack();
  });

  test("by its smoke check on the public route", async () => {
    let asked = 0;
    const answer = (path: string) => ({ status: path === "/smoke" && (asked += 1) > 1 ? 500 : 200, body: "two" });
    const ended = await deploy("v2", { program: { answer }, smoke: [{ path: "/smoke" }] });
    expect(ended).toMatchObject({ error: { code: "RELEASE_SMOKE_FAILED" } });
    await takenBack();
  });

  test("by its own worker", async () => {
    const release = withQueue("v2");
    on.engine.images.set(imageOf("queue-v2"), { exitCode: 5 });
    const ended = await run(runner, "release.apply", release);
    expect(ended).toMatchObject({ error: { code: "RELEASE_CRASHED" } });
    await takenBack();
  });

  test("in its bake, where its worker runs already and its web drains for long", async () => {
    const bad = { bake: { seconds: 30, minRequests: 1 }, drainSeconds: 3600 };
    const request = aRequest("release.apply", withQueue("v2", bad));
    runner.start(request);
    await waitUntil("it bakes", () => on.host.journal.find(request.key)?.phase === "baking");
    expect(queues()).toContain("/shop-2-queue-1 running unless-stopped");
    on.edge.setConnections("shop", "d2-web-1", 1);
    on.edge.count("d2-web-1", 30, 30);
    await settled(first);
    on.edge.setConnections("shop", "d2-web-1", 0);
    expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({
      error: { code: "RELEASE_BAKE_FAILED" },
    });
    await takenBack();
  });

  test("because it was cancelled", async () => {
    const request = aRequest(
      "release.apply",
      withQueue("v2", { program: { answer: () => ({ status: 503, body: "" }) } }),
    );
    runner.start(request);
    await waitUntil("it is gated", () => on.host.journal.find(request.key)?.phase === "gating");
    runner.cancel(request.key);
    expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({ state: "cancelled" });
    await takenBack();
  });

  test("while the engine cannot start the worker again: the sweep tries it later", async () => {
    const id = on.engine.named("shop-1-queue-1")?.Id ?? "";
    on.engine.refusals.set(`POST /containers/${id}/start`, { status: 500, message: "device busy" });
    expect(await deploy("v2", { program: { exitCode: 1 } })).toMatchObject({ error: { code: "RELEASE_CRASHED" } });
    await new Sweep(on.host, runner).once();
    expect(queues()).toEqual(["/shop-1-queue-1 exited no"]);
    on.engine.refusals.clear();
    await new Sweep(on.host, runner).once();
    await takenBack();
  });
});

describe("while it stands down for a release that is on its way", () => {
  test("it is no drift; afterwards one that fell is", async () => {
    await deploy("v1");
    const { spec } = on.host.deployments.input("shop", 1) ?? withQueue("v1");
    await writeFile(join(on.host.paths.hold, "gating"), "");
    const request = aRequest("release.apply", withQueue("v2", { program: { ports: [webPort], exitCode: 1 } }));
    runner.start(request);
    await waitUntil("it is gated", () => on.host.journal.find(request.key)?.phase === "gating");
    expect(queues()).toEqual(["/shop-1-queue-1 exited no"]);
    const { drift, number } = await readRelease(on.host, "shop", spec);
    expect({ drift, number }).toEqual({ drift: [], number: 1 });
    await rm(join(on.host.paths.hold, "gating"));
    await runner.attach(request.key, 0, () => undefined);
    await settled(first);
    await on.engine.crash(on.engine.named("shop-1-queue-1")?.Id ?? "", 1);
    expect((await readRelease(on.host, "shop", spec)).drift).toMatchObject([{ path: "services.queue.state" }]);
  });
});

describe("a crash leaves exactly one: that of the release that the ledger has, in the phase", () => {
  const { undone, done } = phasesWith("yielding");
  const isDone = (phase: ReleasePhase): boolean => done.includes(phase);

  test.each([...undone, ...done])("%s", async (phase) => {
    await deploy("v1");
    await crashes.in(phase, withQueue("v2"));
    await crashes.restart();
    await settled(isDone(phase) ? second : first);
    expect(on.host.deployments.current("shop")?.number).toBe(isDone(phase) ? 2 : 1);
    expect(on.host.standingDown.size).toBe(0);
  });

  test("yielding, when the restart policy was changed and the worker not stopped yet", async () => {
    await deploy("v1");
    const id = on.engine.named("shop-1-queue-1")?.Id ?? "";
    on.engine.silent.add(`/containers/${id}/stop`);
    await crashes.when("it is marked", withQueue("v2"), () => queues().join().endsWith("running no"));
    on.engine.silent.clear();
    await crashes.restart();
    await settled(first);
  });
});
