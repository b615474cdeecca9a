import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TestHost } from "../../../test/doubles/host/host.ts";
import { aHolder, aRelease, aRequest, digestOf, imageOf, run } from "../../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../../test/lab/wait-until.ts";
import { IkomaError } from "../../core/errors.ts";
import type { OperationEvent } from "../protocol/wire.ts";
import { OperationRunner } from "./operation-runner.ts";

let on: TestHost;
let runner: OperationRunner;

beforeEach(async () => {
  on = await TestHost.create();
  runner = new OperationRunner(on.host);
});

afterEach(async () => {
  await on.dispose();
});

const stage = { app: "shop", bundle: digestOf("a"), images: [imageOf("v1")] };

/** A file that holds every operation in the phase, until the function that it gives is called. */
async function hold(phase: string): Promise<() => Promise<void>> {
  const path = join(on.host.paths.hold, phase);
  await writeFile(path, "");
  return () => rm(path, { force: true });
}

function phaseOf(key: string): string | undefined {
  return on.host.journal.find(key)?.phase;
}

test("an operation runs once per key, however often it is asked for", async () => {
  on.engine.pullable.set(imageOf("v1"), {});
  const request = aRequest("bundle.stage", stage);
  expect(runner.start(request).state).toBe("running");
  expect(runner.start(request).state).toBe("running");
  const ended = await runner.attach(request.key, 0, () => undefined);
  expect(ended).toMatchObject({ state: "succeeded", generation: 1, result: { images: [{ pulled: true }] } });
  expect(runner.start(request)).toEqual(ended);
  expect(on.engine.calls.filter((each) => each === "POST /images/create")).toHaveLength(1);
});

test("a plan made before somebody else's change is refused, and nothing is journalled", async () => {
  await run(runner, "bundle.remove", { app: "shop" });
  const stale = aRequest("bundle.remove", { app: "shop" }, { expectedGeneration: 0 });
  expect(() => runner.start(stale)).toThrow(expect.objectContaining({ code: "STALE_GENERATION" }));
  expect(on.host.journal.find(stale.key)).toBeUndefined();
  expect(await run(runner, "bundle.remove", { app: "shop" }, { expectedGeneration: 1 })).toMatchObject({
    generation: 2,
  });
  // Each part has a generation of its own.
  expect(await run(runner, "site.remove", { app: "shop" }, { expectedGeneration: 0 })).toMatchObject({ generation: 1 });
});

test("a failed operation counts as a change too, and says why", async () => {
  const ended = await run(runner, "bundle.stage", stage);
  expect(ended).toMatchObject({ state: "failed", generation: 1, error: { code: "IMAGE_PULL_FAILED" } });
  expect(ended.error?.message).toContain("manifest unknown");
});

test("whoever attaches, early, in the middle or late, gets every event once and in order", async () => {
  const release = await hold("gating");
  const request = aRequest("release.apply", aRelease(on, "v1"));
  runner.start(request);
  const early: OperationEvent[] = [];
  const middle: OperationEvent[] = [];
  const first = runner.attach(request.key, 0, (event) => early.push(event));
  await waitUntil("the operation is held", () => phaseOf(request.key) === "gating");
  const second = runner.attach(request.key, 2, (event) => middle.push(event));
  await release();
  expect((await first).state).toBe("succeeded");
  await second;
  const all = early.map((each) => each.seq);
  expect(all).toEqual(all.map((_seq, index) => index + 1));
  expect(all.length).toBeGreaterThan(6);
  expect(middle).toEqual(early.slice(2));
  const late: OperationEvent[] = [];
  await runner.attach(request.key, 0, (event) => late.push(event));
  expect(late.slice(0, early.length)).toEqual(early);
});

test("events go on being numbered after the answer, while the old release drains", async () => {
  await run(runner, "release.apply", aRelease(on, "v1"));
  const request = aRequest("release.apply", aRelease(on, "v2"));
  runner.start(request);
  await runner.attach(request.key, 0, () => undefined);
  await waitUntil("the old containers are gone", () => on.engine.named("shop-1-web-1") === undefined);
  const events = on.host.journal.events(request.key, 0);
  expect(events.map((each) => each.seq)).toEqual(events.map((_each, index) => index + 1));
  expect(events.slice(-2).map((each) => each.name)).toEqual(["draining", "stopping"]);
});

test("one operation at a time for an app, in the order they came; another app does not wait", async () => {
  const release = await hold("starting");
  const holder = aHolder();
  const first = aRequest("release.apply", aRelease(on, "v1"), { holder });
  const second = aRequest("bundle.remove", { app: "shop" }, { holder });
  runner.start(first);
  runner.start(second);
  expect(await run(runner, "bundle.remove", { app: "blog" })).toMatchObject({ state: "succeeded" });
  await waitUntil("the first is held", () => phaseOf(first.key) === "starting");
  expect(on.host.journal.find(second.key)?.state).toBe("running");
  expect(on.host.journal.events(second.key, 0)).toEqual([]);
  expect(runner.isBusy("shop")).toBe(true);
  expect(runner.isBusy("blog")).toBe(false);
  await release();
  expect(await runner.attach(second.key, 0, () => undefined)).toMatchObject({ state: "succeeded" });
  expect(on.host.journal.find(first.key)?.state).toBe("succeeded");
});

test("a second deployer is told who holds the app, and may go on when it has ended", async () => {
  const release = await hold("starting");
  const first = aRequest("release.apply", aRelease(on, "v1"), { holder: aHolder("anna@laptop") });
  runner.start(first);
  const second = aRequest("bundle.remove", { app: "shop" }, { holder: aHolder("ben@ci") });
  expect(() => runner.start(second)).toThrow(
    expect.objectContaining({ code: "DEPLOY_IN_PROGRESS", message: expect.stringContaining("anna@laptop") }),
  );
  await release();
  await runner.attach(first.key, 0, () => undefined);
  expect(runner.start(second).state).toBe("running");
  await runner.attach(second.key, 0, () => undefined);
});

test("an operation that is cancelled while it waits does nothing", async () => {
  const release = await hold("starting");
  const holder = aHolder();
  const first = aRequest("release.apply", aRelease(on, "v1"), { holder });
  on.host.parts.set("shop", "bundle", stage);
  const second = aRequest("bundle.remove", { app: "shop" }, { holder });
  runner.start(first);
  runner.start(second);
  runner.cancel(second.key);
  await release();
  expect(await runner.attach(second.key, 0, () => undefined)).toMatchObject({
    state: "cancelled",
    error: { code: "CANCELLED" },
  });
  expect(on.host.parts.apps()).toContain("shop");
});

test("cancelling ends a held operation, undoes it and gives the app free", async () => {
  await hold("gating");
  const request = aRequest("release.apply", aRelease(on, "v1"));
  runner.start(request);
  await waitUntil("the operation is held", () => phaseOf(request.key) === "gating");
  runner.cancel(request.key);
  expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({ state: "cancelled" });
  await waitUntil("nothing is left", () => on.engine.containers.size === 0 && on.engine.networks.size === 0);
  expect(on.host.deployments.history("shop", 5)).toMatchObject([{ number: 1, status: "failed" }]);
  expect(await run(runner, "bundle.remove", { app: "shop" })).toMatchObject({ state: "succeeded" });
});

test("the end of an operation is written down as soon as the disk takes it", async () => {
  const { journal } = on.host;
  const succeed = journal.succeed.bind(journal);
  let refusals = 1;
  journal.succeed = (...values) => {
    refusals -= 1;
    if (refusals >= 0) throw new Error("database or disk is full");
    succeed(...values);
  };
  const ended = await run(runner, "bundle.remove", { app: "shop" });
  expect(ended).toMatchObject({ state: "succeeded", generation: 1 });
  expect(on.logged.join("")).toContain("database or disk is full");
  expect(await run(runner, "bundle.remove", { app: "shop" })).toMatchObject({ generation: 2 });
});

test("an operation that cannot be journalled holds no lease", () => {
  on.host.journal.begin = () => {
    throw new Error("database or disk is full");
  };
  const start = (): unknown => runner.start(aRequest("bundle.remove", { app: "shop" }));
  expect(start).toThrow("disk is full");
  expect(start).toThrow("disk is full");
});

test("an operation whose kept secrets cannot be read is refused, and the app stays free", async () => {
  on.host.deployments.secretsOf = () => {
    throw new Error("database disk image is malformed");
  };
  const start = (): unknown => runner.start(aRequest("release.apply", aRelease(on, "v2", { secretsOf: 1 })));
  expect(start).toThrow("malformed");
  expect(await run(runner, "bundle.remove", { app: "shop" })).toMatchObject({ state: "succeeded" });
});

test("a task in turn that fails stops none behind it", async () => {
  await runner.inTurn("shop", () => Promise.reject(new IkomaError("EDGE_FAILED", "no edge")));
  expect(await run(runner, "bundle.remove", { app: "shop" })).toMatchObject({ state: "succeeded" });
});

test("no secret of the input stands in the journal or the log", async () => {
  const secret = "hunter22-hunter22";
  const input = aRelease(on, "v1", {
    redact: [secret, "true"],
    program: { exitCode: 3, lines: ["starting", `cannot reach postgres://app:${secret}@db`] },
  });
  const ended = await run(runner, "release.apply", input);
  expect(ended).toMatchObject({
    state: "failed",
    error: { code: "RELEASE_CRASHED", details: { outOfMemory: false, exitCode: 3 } },
  });
  const everything = JSON.stringify([
    ended,
    on.host.journal.events(ended.key, 0),
    on.host.deployments.history("shop", 5),
    on.logged,
  ]);
  expect(everything).toContain("postgres://app:[secret]@db");
  expect(everything).not.toContain(secret);
});

test("a log line of any length fits into a message", async () => {
  const input = aRelease(on, "v1", { program: { exitCode: 1, lines: ["x".repeat(50_000)] } });
  const ended = await run(runner, "release.apply", input);
  const line = on.host.journal.events(ended.key, 0).find((each) => each.type === "log");
  expect(line?.message.length).toBeLessThan(5000);
  expect(JSON.stringify(ended).length).toBeLessThan(15_000);
});

test("an unknown operation is said to be unknown", async () => {
  await expect(runner.attach("no-such-operation", 0, () => undefined)).rejects.toMatchObject({
    code: "AGENT_PROTOCOL",
  });
});
