import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { aRelease, aRequest, imageOf, run } from "../../../../test/doubles/host/inputs.ts";
import type { Program } from "../../../../test/doubles/host/engine.ts";
import { waitUntil } from "../../../../test/lab/wait-until.ts";
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

const succeeding: Program = { exitCode: 0, lines: ["3 tables created"] };

/** A release with a job of each name, which runs at that moment. */
function withJobs(
  name: string,
  jobs: Record<string, { at: "pre" | "post"; program: Program; timeoutSeconds?: number }>,
) {
  const services = Object.entries(jobs).map(([service, { at, program, timeoutSeconds = 5 }]) => {
    on.engine.images.set(imageOf(service), program);
    const hook = { run: at, timeoutSeconds };
    return [service, { kind: "job", image: imageOf(service), hook, environment: { TOKEN: "hunter22" } }] as const;
  });
  const web = { kind: "web", image: imageOf(name), environment: { VERSION: name } };
  return aRelease(on, name, { services: { web, ...Object.fromEntries(services) }, redact: ["hunter22"] });
}

function story(key: string): string[] {
  const told = on.host.journal.events(key, 0).filter(({ type }) => type !== "phase");
  return told.map(({ type, name, message }) => `${type} ${name}: ${message}`);
}

function jobContainers(): string[] {
  const labelled = [...on.engine.containers.values()].filter((each) => "dev.ikoma.hook" in each.Config.Labels);
  return labelled.map((each) => each.Name);
}

describe("before the web starts", () => {
  test("a job runs once, in its own container on the release's network, and what it says is told", async () => {
    const ended = await run(runner, "release.apply", withJobs("v1", { migrate: { at: "pre", program: succeeding } }));
    expect(ended).toMatchObject({ state: "succeeded" });
    expect(story(ended.key).slice(0, 3)).toEqual([
      "step hook: pre migrate",
      "log migrate: 3 tables created",
      "step start: web",
    ]);
    expect(jobContainers()).toEqual([]);
    expect(Object.keys((ended.result as { services: object }).services)).toEqual(["web"]);
  });

  test("not again where nothing changed, nor where a container is put up again", async () => {
    const release = withJobs("v1", { migrate: { at: "pre", program: succeeding } });
    await run(runner, "release.apply", release);
    const again = await run(runner, "release.apply", release);
    expect(again).toMatchObject({ result: { unchanged: true } });
    await on.engine.crash(on.engine.named("shop-1-web-1")?.Id ?? "", 137);
    const healed = await run(runner, "release.apply", release);
    expect(healed).toMatchObject({ result: { number: 1, unchanged: false } });
    expect([...story(again.key), ...story(healed.key)].filter((line) => line.includes("hook"))).toEqual([]);
  });

  test("one that fails stops the deploy: no web is started, the release before serves, nothing is withdrawn", async () => {
    await run(runner, "release.apply", aRelease(on, "v1"));
    const program = { exitCode: 3, lines: ["connecting with hunter22", "relation orders exists"] };
    const failing = withJobs("v2", { migrate: { at: "pre", program } });
    const ended = await run(runner, "release.apply", failing);
    expect(ended.error).toMatchObject({
      code: "HOOK_FAILED",
      message: "The pre hook migrate ended with exit code 3; its last line: relation orders exists",
      details: { service: "migrate", exitCode: 3, log: ["connecting with [secret]", "relation orders exists"] },
    });
    expect(story(ended.key)).toContain("log migrate: connecting with [secret]");
    expect(story(ended.key).join()).not.toContain("step start");
    expect([...on.engine.containers.values()].map((each) => each.Name)).toEqual(["/shop-1-web-1"]);
    expect(on.host.deployments.current("shop")?.number).toBe(1);
    expect((await run(runner, "release.apply", failing)).error).toMatchObject({ code: "HOOK_FAILED" });
  });

  test("one that takes too long, and one that ran out of memory, say so", async () => {
    const slow = withJobs("v1", { migrate: { at: "pre", program: {}, timeoutSeconds: 0.3 } });
    const ended = await run(runner, "release.apply", slow);
    expect(ended.error?.message).toBe("The pre hook migrate had not ended after 0.3 s.");
    const greedy = withJobs("v1", { migrate: { at: "pre", program: { exitCode: 137, outOfMemory: true } } });
    expect((await run(runner, "release.apply", greedy)).error?.message).toContain("ran out of memory");
    expect(on.engine.containers.size).toBe(0);
  });

  test("a cancel in it leaves no container, and the release before serves", async () => {
    await run(runner, "release.apply", aRelease(on, "v1"));
    const waiting = withJobs("v2", { migrate: { at: "pre", program: {}, timeoutSeconds: 600 } });
    const cancelled = aRequest("release.apply", waiting);
    runner.start(cancelled);
    await waitUntil("it runs", () => jobContainers().length === 1);
    runner.cancel(cancelled.key);
    expect(await runner.attach(cancelled.key, 0, () => undefined)).toMatchObject({ state: "cancelled" });
    expect(jobContainers()).toEqual([]);
    expect(on.host.deployments.current("shop")?.number).toBe(1);
  });
});

describe("after the release came to serve", () => {
  test("a job runs once it is the current one", async () => {
    const ended = await run(runner, "release.apply", withJobs("v1", { warm: { at: "post", program: succeeding } }));
    const told = story(ended.key);
    expect(told.findIndex((line) => line.includes("serves"))).toBeLessThan(told.indexOf("step hook: post warm"));
    expect(told).toContain("log warm: 3 tables created");
    expect(jobContainers()).toEqual([]);
  });

  test("one that fails is a warning, and the release serves on", async () => {
    const program = { exitCode: 1, lines: ["no cache"] };
    const ended = await run(runner, "release.apply", withJobs("v1", { warm: { at: "post", program } }));
    expect(ended).toMatchObject({ state: "succeeded", result: { number: 1 } });
    expect(story(ended.key)).toContain(
      "warning hook: The post hook warm ended with exit code 1; its last line: no cache #1 serves all the same.",
    );
    expect(on.host.deployments.current("shop")?.number).toBe(1);
  });
});
