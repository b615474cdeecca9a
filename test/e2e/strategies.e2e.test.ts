import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { OperationEvent } from "../../src/agent/protocol/wire.ts";
import {
  crash,
  expectFlawless,
  expectToSettle,
  pushTinyWeb,
  startAgentHost,
  startDoomed,
  startHeldIn,
  until,
} from "./fixture/index.ts";
import type { AgentHost, AppOnHost, ReleaseBuilder, TinyWebImage } from "./fixture/index.ts";

const cleanUpMs = 10_000;
const recoveryMs = 5_000;
/** The engine starts every container anew as well. */
const bootRecoveryMs = 15_000;

let host: AgentHost;
let v1: TinyWebImage;
let v2: TinyWebImage;
let v3: TinyWebImage;
/** Figures for people, printed at the end. */
const measured: string[] = [];

beforeAll(async () => {
  host = await startAgentHost("strategies");
  [v1, v2, v3] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2"), pushTinyWeb("v3")]);
  await host.pull(v1.reference, v2.reference, v3.reference);
}, 300_000);

afterAll(async () => {
  process.stdout.write(measured.map((line) => `measured: ${line}\n`).join(""));
  await host[Symbol.asyncDispose]();
});

/** Takes a lock of the kernel, notes its start and its end, and whether it was the second one. */
const lockedWorker = `exec 9>/data/lock
flock -n 9 || { echo "two at once: $APP_VERSION" >> /data/log; exit 9; }
echo "start $APP_VERSION" >> /data/log
trap 'echo "stop $APP_VERSION" >> /data/log; exit 0' TERM
while :; do sleep 1 & wait $!; done`;

describe("a worker of which there may be only one", () => {
  const services = ["queue", "web"];
  let app: AppOnHost;

  beforeAll(async () => {
    app = await host.addApp("queued");
    await app.deploy(withQueue(v1));
  });

  function withQueue(image: TinyWebImage): ReleaseBuilder {
    return app
      .release(image)
      .besideWorker("queue", image, { APP_VERSION: image.version })
      .keepingData("queue", "/data", "queue")
      .where("queue", {
        overlap: false,
        user: "root",
        entrypoint: ["sh", "-c", lockedWorker],
        healthcheck: { test: ["CMD", "true"] },
      });
  }

  const log = "/var/lib/docker/volumes/queued_queue/_data/log";

  /** What the workers noted since {@link expectNoted}. */
  async function noted(): Promise<string[]> {
    const lines = await host.run(`cat ${log}`);
    return lines.split("\n").filter((line) => line !== "");
  }

  /** Forgets it then. A worker that runs has not written its first line yet. */
  async function expectNoted(expected: string[]): Promise<void> {
    await until(`${expected.length} lines are noted`, async () => (await noted()).length >= expected.length);
    expect(await noted()).toEqual(expected);
    await host.run(`: > ${log}`);
  }

  test("ends before the next release starts, under load, and never runs beside its successor", async () => {
    await using load = await app.startLoad();
    await app.deploy(withQueue(v2));
    await expectToSettle(app, { serving: 2, deployments: ["#1 good", "#2 current"], services }, cleanUpMs);
    await expectNoted(["start v1", "stop v1", "start v2"]);
    expectFlawless(await load.stop());
  });

  test("runs again when the next release is taken back, after that one's has ended", async () => {
    const failing = withQueue(v3).with({ FAIL_AFTER_REQUESTS: "20" });
    await using load = await app.startLoad();
    await expect(app.deploy(failing, { bake: { seconds: 30 } })).rejects.toMatchObject({ code: "RELEASE_BAKE_FAILED" });
    await load.stop();
    const deployments = ["#1 good", "#2 current", "#3 failed"];
    await expectToSettle(app, { serving: 2, deployments, services }, cleanUpMs);
    await expectNoted(["stop v2", "start v3", "stop v3", "start v2"]);
  });

  test.each([
    { phase: "yielding", undone: [] },
    { phase: "gating", undone: ["stop v2", "start v2"] },
    { phase: "baking", undone: ["stop v2", "start v1", "stop v1", "start v2"] },
  ])("runs once when the agent dies in the phase $phase", async ({ phase, undone }) => {
    await host.agentProcess.restart();
    const before = (await app.ledger()).deployments.map((each) => `#${each.number} ${each.status}`);
    const doomed = await startHeldIn(phase, host, app, (options) => app.deploy(withQueue(v1), options));
    const { startedAtMs } = await crash(host, doomed);
    const deployments = [...before, `#${before.length + 1} failed`];
    await expectToSettle(app, { serving: 2, deployments, services }, startedAtMs + recoveryMs - Date.now());
    await expectNoted(undone);
  });

  test("runs once when the host loses its power while its successor runs already", async () => {
    const before = (await app.ledger()).deployments.map((each) => `#${each.number} ${each.status}`);
    const doomed = await startHeldIn("baking", host, app, (options) => app.deploy(withQueue(v1), options));
    await host.vps.powerLoss();
    await doomed.dropClient();
    await host.vps.boot();
    await host.agentProcess.letGo();
    await host.agent.handshake();
    const deployments = [...before, `#${before.length + 1} failed`];
    await expectToSettle(app, { serving: 2, deployments, services }, bootRecoveryMs);
    await until("the worker from before runs again", async () => (await noted()).at(-1) === "start v2");
    const lines = await noted();
    expect(lines.slice(0, 2)).toEqual(["stop v2", "start v1"]);
    expect(lines.join()).not.toContain("two at once");
    await expectNoted(lines);
  });

  test("is handed over when the agent dies after the switch", async () => {
    await host.agentProcess.restart();
    const before = (await app.ledger()).deployments.map((each) => `#${each.number} ${each.status}`);
    const doomed = await startHeldIn("switched", host, app, (options) =>
      app.deploy(withQueue(v1), { ...options, keep: 50 }),
    );
    const { startedAtMs } = await crash(host, doomed);
    const deployments = [...before.map((each) => each.replace("current", "good")), `#${before.length + 1} current`];
    const serving = before.length + 1;
    await expectToSettle(app, { serving, deployments, services }, startedAtMs + recoveryMs - Date.now());
    await expectNoted(["stop v2", "start v1"]);
    await until("v1 serves", async () => (await app.versionsServed()).join() === "v1");
  });
});

describe("an app that cannot overlap at all", () => {
  let app: AppOnHost;
  const replace = { strategy: "replace" } as const;

  beforeAll(async () => {
    app = await host.addApp("sole");
    await app.deploy(sole(v1), replace);
  });

  /** Its web holds a lock of the kernel while it runs: a second one would not start. */
  function sole(image: TinyWebImage): ReleaseBuilder {
    const locked = `exec 9>/data/lock; flock -n 9 || { echo "two at once" >> /data/log; exit 9; }; exec node server.mjs`;
    return app
      .release(image)
      .keepingData("sole", "/data")
      .where("web", { user: "root", entrypoint: ["sh", "-c", locked] });
  }

  async function expectNeverTwo(): Promise<void> {
    expect(await host.run("cat /var/lib/docker/volumes/sole_sole/_data/log || true")).toBe("");
  }

  test("is replaced while requests wait at the edge: none fails, and no two run at once", async () => {
    await using load = await app.startLoad(60);
    const away: string[] = [];
    const onEvent = ({ name, message }: { name: string; message: string }): void => {
      if (name === "away") away.push(message);
    };
    await app.deploy(sole(v2), { ...replace, onEvent });
    await expectToSettle(app, { serving: 2, deployments: ["#1 good", "#2 current"] }, cleanUpMs);
    expectFlawless(await load.stop());
    expect(away).toEqual([expect.stringMatching(/^nothing served for \d+ ms/)]);
    measured.push(`replaced under 60 requests/s: ${away.join()}`);
    await expectNeverTwo();
  });

  test("serves again from where it was when the next one is bad, and no request fails", async () => {
    await using load = await app.startLoad(60);
    const startedAtMs = Date.now();
    const bad = sole(v3).with({ NEVER_HEALTHY: "1" }).healthyBy({ timeoutSeconds: 2 });
    await expect(app.deploy(bad, replace)).rejects.toMatchObject({ code: "RELEASE_UNHEALTHY" });
    measured.push(`a bad one was replaced back after ${Date.now() - startedAtMs} ms`);
    await expectToSettle(app, { serving: 2, deployments: ["#1 good", "#2 current", "#3 failed"] }, cleanUpMs);
    expectFlawless(await load.stop([{ version: "v2" }]));
    await expectNeverTwo();
  });

  test.each(["yielding", "baking"])("serves alone when the agent dies in the phase %s", async (phase) => {
    await host.agentProcess.restart();
    const before = (await app.ledger()).deployments.map((each) => `#${each.number} ${each.status}`);
    await using load = await app.startLoad(20);
    const doomed = await startHeldIn(phase, host, app, (options) => app.deploy(sole(v1), { ...options, ...replace }));
    const { startedAtMs } = await crash(host, doomed);
    const deployments = [...before, `#${before.length + 1} failed`];
    await expectToSettle(app, { serving: 2, deployments }, startedAtMs + recoveryMs - Date.now());
    expect(await app.versionsServed()).toEqual(["v2"]);
    expectFlawless(await load.stop());
    await expectNeverTwo();
  });

  test("serves alone after the host has lost its power while the next one ran", async () => {
    const before = (await app.ledger()).deployments.map((each) => `#${each.number} ${each.status}`);
    const doomed = await startHeldIn("baking", host, app, (options) =>
      app.deploy(sole(v1), { ...options, ...replace }),
    );
    await host.vps.powerLoss();
    await doomed.dropClient();
    await host.vps.boot();
    await host.agentProcess.letGo();
    await host.agent.handshake();
    const deployments = [...before, `#${before.length + 1} failed`];
    await expectToSettle(app, { serving: 2, deployments }, bootRecoveryMs);
    expect(await app.versionsServed()).toEqual(["v2"]);
    await expectNeverTwo();
  });
});

describe("a canary", () => {
  let app: AppOnHost;
  let bad: TinyWebImage;
  const strategy = { canary: { steps: [10, 50].map((percent) => ({ percent, seconds: 2 })) } };

  beforeAll(async () => {
    bad = await pushTinyWeb("bad", { FAIL_AFTER_REQUESTS: "20" });
    await host.pull(bad.reference);
    app = await host.addApp("bird");
    await app.deploy(app.release(v1));
  });

  /** Events of a deploy, by name. */
  function listener() {
    const events: OperationEvent[] = [];
    const said = (name: string): string[] => events.filter((each) => each.name === name).map((each) => each.message);
    return { onEvent: (event: OperationEvent) => events.push(event), said };
  }

  test("gets a tenth of the visitors, then half, then all, and no request fails", async () => {
    await using load = await app.startLoad(100);
    const { onEvent, said } = listener();
    await app.deploy(app.release(v2), { strategy, onEvent });
    await expectToSettle(app, { serving: 2, deployments: ["#1 good", "#2 current"] }, cleanUpMs);
    const report = await load.stop([{ version: "v1" }, { version: "v2" }]);
    expectFlawless(report);
    expect(said("canary")).toEqual([expect.stringMatching(/^10 %/), expect.stringMatching(/^50 %/)]);
    const [tenth = 0, half = 0] = said("bake").flatMap((line) => {
      const [, requests] = /^2 of 2 s: (\d+) requests, 0 failed$/.exec(line) ?? [];
      return requests === undefined ? [] : [Number(requests)];
    });
    measured.push(`of 200 requests in each step the canary answered ${tenth}, then ${half - tenth}`);
    expect(tenth).toBeGreaterThan(10);
    expect(tenth).toBeLessThan(35);
    expect(half - tenth).toBeGreaterThan(70);
    expect(half - tenth).toBeLessThan(130);
  });

  test("that goes bad is left by its visitors at once, removed and withdrawn", async () => {
    await using load = await app.startLoad(100);
    const outcome = app.deploy(app.release(bad), { strategy: { canary: { steps: [{ percent: 20, seconds: 30 }] } } });
    await expect(outcome).rejects.toMatchObject({ code: "RELEASE_BAKE_FAILED" });
    const backAtMs = await load.mark("back");
    await expectToSettle(app, { serving: 2, deployments: ["#1 good", "#2 current", "#3 failed"] }, cleanUpMs);
    const report = await load.stop([{ version: "v2" }, { version: "bad", toMs: backAtMs }]);
    for (const { failures, unexpected } of report.streams) {
      expect(Object.keys(failures).filter((each) => each !== "status-500")).toEqual([]);
      expect(unexpected?.examples).toEqual([]);
    }
    await expect(app.deploy(app.release(bad), { strategy })).rejects.toMatchObject({ code: "RELEASE_WITHDRAWN" });
  });

  test("is over when the agent dies in it: the release before has all visitors again", async () => {
    await host.agentProcess.restart();
    await using load = await app.startLoad(50);
    const doomed = await startDoomed(host, (options) =>
      app.deploy(app.release(v1), { ...options, strategy: { canary: { steps: [{ percent: 50, seconds: 60 }] } } }),
    );
    await until("it has its share", async () => (await app.versionsServed()).length === 2);
    const { startedAtMs } = await crash(host, doomed);
    const deployments = ["#1 good", "#2 current", "#3 failed", "#4 failed"];
    await expectToSettle(app, { serving: 2, deployments }, startedAtMs + recoveryMs - Date.now());
    expect(await app.versionsServed()).toEqual(["v2"]);
    expectFlawless(await load.stop([{ version: "v1" }, { version: "v2" }]));
  });
});

describe("an app of three replicas that there is no memory for twice", () => {
  const rolling = { strategy: "rolling" } as const;
  let app: AppOnHost;

  beforeAll(async () => {
    app = await host.addApp("trio");
    await app.deploy(three(v1), rolling);
  });

  function three(image: TinyWebImage): ReleaseBuilder {
    return app.release(image).where("web", { deploy: { replicas: 3 } });
  }

  /** Waits until just the three containers of a deployment are there, all of them on the edge. */
  async function untilThreeServe(number: number): Promise<void> {
    const names = [1, 2, 3].map((replica) => `d${number}-web-${replica}`);
    await until(`the three of #${number} serve`, async () => {
      const { containers, edgeServers, networks } = await app.world();
      const running = containers.filter(({ status }) => status === "running");
      return (
        running.length === 3 &&
        containers.length === 3 &&
        networks.join() === `trio-${number}` &&
        edgeServers.map((each) => (each.takesRequests ? each.name : "")).join() === names.join()
      );
    });
  }

  /** How many of the app's containers ran at once, at most, by the engine's own events. */
  async function mostSince(atMs: number): Promise<number> {
    const format = "{{.Action}} {{.Actor.Attributes.name}}";
    const filters = "--filter event=start --filter event=die";
    const events = await host.run(
      `docker events --since ${atMs / 1000} --until "$(date +%s.%N)" ${filters} --format '${format}'`,
    );
    let [running, most] = [3, 3];
    for (const event of events.split("\n").filter((each) => each.includes(" trio-"))) {
      running += event.startsWith("start") ? 1 : -1;
      most = Math.max(most, running);
    }
    return most;
  }

  test("is rolled over one by one: never more than four run, and no request fails", async () => {
    await using load = await app.startLoad(100);
    const startedAtMs = Date.now();
    await app.deploy(three(v2), rolling);
    measured.push(`three replicas rolled over in ${Date.now() - startedAtMs} ms under 100 requests/s`);
    await untilThreeServe(2);
    expectFlawless(await load.stop([{ version: "v1" }, { version: "v2" }]));
    expect(await mostSince(startedAtMs)).toBe(4);
    expect(await app.versionsServed()).toEqual(["v2"]);
  });

  test("is whole again when the agent dies with two of three rolled over", async () => {
    await host.agentProcess.restart();
    await using load = await app.startLoad(50);
    const startedAtMs = Date.now();
    const two = Promise.withResolvers<undefined>();
    const onEvent = ({ message }: OperationEvent): void => {
      if (message === "2 of 3 serve") two.resolve(undefined);
    };
    await host.agentProcess.hold("switching");
    const doomed = await startDoomed(host, (options) => app.deploy(three(v1), { ...options, ...rolling }), onEvent);
    await two.promise;
    await crash(host, doomed);
    await untilThreeServe(2);
    expect(await app.versionsServed()).toEqual(["v2"]);
    expectFlawless(await load.stop([{ version: "v1" }, { version: "v2" }]));
    expect(await mostSince(startedAtMs)).toBeLessThanOrEqual(4);
  });
});
