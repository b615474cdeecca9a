import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { writeFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Crashes, phasesWith } from "../../test/doubles/host/crash.ts";
import { TestHost } from "../../test/doubles/host/host.ts";
import { aRelease, imageOf, run } from "../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../test/lab/wait-until.ts";
import { IkomaError } from "../core/errors.ts";
import { probe } from "./gate/http-probe.ts";
import { OperationRunner } from "./operations/operation-runner.ts";
import { readStatus } from "./reading/read-status.ts";
import { Sweep } from "./sweep.ts";

let on: TestHost;
let crashes: Crashes;

beforeEach(async () => {
  on = await TestHost.create();
  crashes = new Crashes(on);
});

afterEach(async () => {
  await on.dispose();
});

async function visit(): Promise<unknown> {
  return probe(
    { address: "127.0.0.1", port: on.host.settings.httpPort },
    { path: "/", host: "localhost", timeoutMs: 2000 },
  );
}

const answering = (body: string) => ({ program: { answer: () => ({ status: 200, body }) } });

function crashIn(phase: string, name: string): Promise<string> {
  return crashes.in(phase, aRelease(on, name, answering(name)));
}

/** The same, while a job of the release runs. */
function crashInHook(moment: "pre" | "post"): Promise<string> {
  on.engine.images.set(imageOf("migrate"), {});
  const migrate = { kind: "job", image: imageOf("migrate"), hook: { run: moment } };
  const web = { kind: "web", image: imageOf("v2") };
  const release = aRelease(on, "v2", { ...answering("v2"), services: { web, migrate } });
  return crashes.when("the job runs", release, () => on.engine.named("shop-2-migrate-1")?.State.Running === true);
}

describe("a deploy that a crash cut off in a job", () => {
  beforeEach(async () => {
    await run(new OperationRunner(on.host), "release.apply", aRelease(on, "v1", answering("v1")));
  });

  test("before the web starts is undone, and the job is removed", async () => {
    const key = await crashInHook("pre");
    await crashes.restart();
    expect(on.host.journal.find(key)?.view).toMatchObject({ error: { code: "RELEASE_INTERRUPTED" } });
    await waitUntil("only the first is left", () => on.engine.containers.size === 1);
    expect(await visit()).toMatchObject({ body: "v1" });
  });

  test("after it came to serve is finished, and the job is removed, not repeated", async () => {
    const key = await crashInHook("post");
    await crashes.restart();
    expect(on.host.journal.find(key)?.view).toMatchObject({ state: "succeeded", result: { number: 2 } });
    await waitUntil("only the web is left", () => on.engine.containers.size === 1);
    expect(on.engine.named("shop-2-web-1")?.State.Running).toBe(true);
    expect(await visit()).toMatchObject({ body: "v2" });
  });
});

describe("a deploy that a crash cut off in its phase", () => {
  const { undone, done } = phasesWith();
  test.each(undone)("%s is undone: the release before serves, nothing is left of the new one", async (phase) => {
    await run(new OperationRunner(on.host), "release.apply", aRelease(on, "v1", answering("v1")));
    const key = await crashIn(phase, "v2");
    await crashes.restart();
    expect(on.host.journal.find(key)?.view).toMatchObject({
      state: "failed",
      error: { code: "RELEASE_INTERRUPTED" },
      generation: 2,
    });
    expect(await visit()).toEqual({ status: 200, body: "v1" });
    await waitUntil("only the first is left", () => on.engine.containers.size === 1 && on.engine.networks.size === 1);
    await waitUntil("its subnet is free", () => on.host.subnets.owners().join() === "shop-1");
    expect(on.host.deployments.history("shop", 5).filter((each) => each.status === "started")).toEqual([]);
    await rm(join(on.host.paths.hold, phase));
    expect(await run(new OperationRunner(on.host), "release.apply", aRelease(on, "v3", answering("v3")))).toMatchObject(
      { state: "succeeded" },
    );
    expect(await visit()).toMatchObject({ body: "v3" });
  });

  test.each(done)("%s is done: the new release serves, the one before goes", async (phase) => {
    await run(new OperationRunner(on.host), "release.apply", aRelease(on, "v1", answering("v1")));
    const key = await crashIn(phase, "v2");
    await crashes.restart();
    expect(on.host.journal.find(key)?.view).toMatchObject({
      state: "succeeded",
      result: { number: 2, unchanged: false },
      generation: 2,
    });
    expect(await visit()).toEqual({ status: 200, body: "v2" });
    await waitUntil(
      "the first is gone",
      () => on.engine.containers.size === 1 && on.engine.named("shop-2-web-1") !== undefined,
    );
  });
});

test("a deployment that was entered and no operation knows of has failed", async () => {
  on.host.deployments.begin(aRelease(on, "v1"), "digest", "anna");
  await crashes.restart();
  expect(on.host.deployments.history("shop", 5)).toMatchObject([{ status: "failed" }]);
});

test("other operations that were cut off have failed, and their part has changed", async () => {
  on.host.journal.begin("key-of-a-stage-op", "bundle.stage", "shop", "anna");
  await crashes.restart();
  expect(on.host.journal.find("key-of-a-stage-op")?.view).toMatchObject({ state: "failed", generation: 1 });
  expect(on.host.parts.generation("shop", "bundle")).toBe(1);
});

test("what is left of a program that migrated and cannot be removed does not keep the agent from starting", async () => {
  const labels = { "dev.ikoma.app": "shop", "dev.ikoma.part": "migration" };
  on.engine.images.set(imageOf("v1"), {});
  await on.engine.createContainer({ name: "shop-migration-migrate-1", image: imageOf("v1"), labels });
  on.host.journal.begin("key-of-a-migration", "migration.command", "shop", "anna");
  on.engine.refusals.set("DELETE /containers", { status: 500, message: "device busy" });
  await crashes.restart();
  expect(on.logged.join("")).toContain("device busy");
  expect(on.host.journal.find("key-of-a-migration")?.view).toMatchObject({ error: { code: "RELEASE_INTERRUPTED" } });
});

describe("an app that does not come up", () => {
  beforeEach(async () => {
    const runner = new OperationRunner(on.host);
    for (const app of ["blog", "shop"]) {
      await run(runner, "site.apply", { app, domains: [`${app}.example`] });
      await run(runner, "release.apply", aRelease(on, `${app}-v1`, { app }));
    }
    const { edge } = on;
    const switchTo = edge.switchTo.bind(edge);
    edge.switchTo = (app, committed) =>
      app.app === "blog"
        ? Promise.reject(new IkomaError("EDGE_FAILED", "no server up for blog_web_8080"))
        : switchTo(app, committed);
  });

  test("keeps neither the agent nor another app from working", async () => {
    await crashes.restart();
    expect(on.logged.join("")).toContain("no server up for blog_web_8080");
    const ended = await run(new OperationRunner(on.host), "release.apply", aRelease(on, "shop-v2"));
    expect(ended).toMatchObject({ state: "succeeded" });
  });
});

describe("the sweep", () => {
  test("tells an edge again that does not serve what the ledger has", async () => {
    const runner = new OperationRunner(on.host);
    await run(runner, "release.apply", aRelease(on, "v1", answering("v1")));
    const sweep = new Sweep(on.host, runner);
    await sweep.once();
    const calls = on.edge.calls.length;
    await sweep.once();
    expect(on.edge.calls.slice(calls)).toEqual([]);
    await on.edge.switchTo({ app: "shop", domains: [], routes: [], servers: [] });
    const told = (await readStatus(on.host, runner)).repairs.length;
    await sweep.once();
    expect(await visit()).toMatchObject({ body: "v1" });
    const { repairs } = await readStatus(on.host, runner);
    expect(repairs.slice(told)).toEqual([
      { atMs: expect.any(Number), app: "shop", message: expect.stringContaining("it was told again") },
    ]);
  });

  test("does nothing while it is held", async () => {
    const runner = new OperationRunner(on.host);
    await run(runner, "release.apply", aRelease(on, "v1", answering("v1")));
    const sweep = new Sweep(on.host, runner);
    await on.edge.switchTo({ app: "shop", domains: [], routes: [], servers: [] });
    await writeFile(join(on.host.paths.hold, "sweep"), "");
    await sweep.once();
    expect((await on.edge.served("shop")).routes).toEqual([]);
    await rm(join(on.host.paths.hold, "sweep"));
    await sweep.once();
    expect(await visit()).toMatchObject({ body: "v1" });
  });

  test("leaves an app alone that an operation works on", async () => {
    await crashIn("switching", "v1");
    const [runner = new OperationRunner(on.host)] = crashes.take();
    await new Sweep(on.host, runner).once();
    expect((await on.edge.served("shop")).servers).toEqual([]);
    expect(on.engine.named("shop-1-web-1")?.State.Running).toBe(true);
    await rm(join(on.host.paths.hold, "switching"));
    await waitUntil("it has ended", () => on.host.journal.running().length === 0);
    expect(await visit()).toMatchObject({ body: "v1" });
  });

  test("finishes what a clean-up could not, one app's long drain notwithstanding", async () => {
    const runner = new OperationRunner(on.host);
    for (const app of ["blog", "shop"]) await run(runner, "site.apply", { app, domains: [`${app}.example`] });
    await run(runner, "release.apply", aRelease(on, "b1", { app: "blog", drainSeconds: 3600 }));
    on.edge.setConnections("blog", "d1-web-1", 1);
    await run(runner, "release.apply", aRelease(on, "b2", { app: "blog" }));
    await run(runner, "release.apply", aRelease(on, "s1"));
    on.engine.refusals.set("DELETE /containers", { status: 500, message: "device busy" });
    await run(runner, "release.apply", aRelease(on, "s2"));
    await waitUntil("the clean-up has failed", () => on.logged.join("").includes("device busy"));
    on.engine.refusals.clear();
    const sweep = new Sweep(on.host, runner);
    const first = sweep.once();
    await waitUntil("the shop's first is gone", () => on.engine.named("shop-1-web-1") === undefined);
    expect(on.engine.named("blog-1-web-1")?.State.Running).toBe(true);
    on.edge.setConnections("blog", "d1-web-1", 0);
    await first;
    expect(on.engine.named("blog-1-web-1")).toBeUndefined();
  });

  test("puts an edge back that somebody removed, and says so where it cannot", async () => {
    const sweep = new Sweep(on.host, new OperationRunner(on.host));
    await sweep.once();
    expect(on.engine.named("ikoma-edge")?.State.Running).toBe(true);
    expect(on.engine.named("ikoma-edge")?.HostConfig).toMatchObject({ LogConfig: { Config: { "max-size": "10m" } } });
    await on.host.containers.stopAndRemove("ikoma-edge");
    on.engine.refusals.set("POST /containers/create", { status: 404, message: "No such image: edge" });
    await sweep.once();
    expect(on.logged.join("")).toContain("No such image: edge");
  });
});
