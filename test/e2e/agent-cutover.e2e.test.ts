import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { occasionalPhases, releasePhases } from "../../src/agent/protocol/phases.ts";
import type { OperationEvent } from "../../src/agent/protocol/wire.ts";
import { askEdge, expectFlawless, expectToSettle, pushTinyWeb, startAgentHost, until } from "./fixture/index.ts";
import type { AgentHost, AppOnHost, ContainerSeen, TinyWebImage } from "./fixture/index.ts";

/** What is left to do after the answer: draining without a connection, stopping, removing. */
const cleanUpMs = 8_000;

let host: AgentHost;
let v1: TinyWebImage;
let v2: TinyWebImage;
let v3: TinyWebImage;
/** Its smoke check fails; all else works. */
let failingSmoke: TinyWebImage;
/** Figures for people, printed at the end. */
const measured: string[] = [];

beforeAll(async () => {
  host = await startAgentHost("cutover");
  [v1, v2, v3, failingSmoke] = await Promise.all([
    pushTinyWeb("v1"),
    pushTinyWeb("v2"),
    pushTinyWeb("v3"),
    pushTinyWeb("v3-bad", { FAIL_SMOKE: "1" }),
  ]);
  await host.pull(...[v1, v2, v3, failingSmoke].map((each) => each.reference));
}, 300_000);

afterAll(async () => {
  process.stdout.write(measured.map((line) => `measured: ${line}\n`).join(""));
  await host[Symbol.asyncDispose]();
});

/** An app whose v1 serves. It stays, so that each test finds a fuller host. */
async function serving(name: string): Promise<AppOnHost> {
  const app = await host.addApp(name);
  await app.deploy(app.release(v1));
  return app;
}

async function containerOf(app: AppOnHost, name: string): Promise<ContainerSeen> {
  const found = (await app.world()).containers.find((each) => each.name === `${app.name}-${name}`);
  if (found === undefined) throw new Error(`there is no container ${app.name}-${name}`);
  return found;
}

/** Identity and start of containers: equal only if nothing was restarted. */
function lives(...containers: ContainerSeen[]): string[] {
  return containers.map(({ name, id, startedAt }) => `${name} ${id} ${startedAt}`);
}

/** Milliseconds from the first event to the entry into each phase. */
function timeline(events: readonly OperationEvent[]): string {
  const [first] = events;
  const phases = events.filter((each) => each.type === "phase");
  return phases.map(({ name, atMs }) => `${name} ${atMs - (first?.atMs ?? atMs)}`).join(", ");
}

describe("a good deploy", () => {
  test("answers every request while it goes on, from the new release when it is done", async () => {
    const app = await serving("loaded");
    await using load = await app.startLoad(200);
    const startedAtMs = await load.mark("deploy");
    const events: OperationEvent[] = [];
    const result = await app.deploy(app.release(v2), { onEvent: (event) => events.push(event) });
    const doneAtMs = await load.mark("done");
    expect(result).toMatchObject({
      number: 2,
      unchanged: false,
      services: { web: { state: "running", healthy: true } },
    });
    await expectToSettle(app, { serving: 2, deployments: ["#1 good", "#2 current"] }, cleanUpMs);
    const report = await load.stop([
      { version: "v1", toMs: doneAtMs },
      { version: "v2", fromMs: startedAtMs },
    ]);
    expectFlawless(report);
    measured.push(`deploy under 200 requests/s, ms: ${timeline(events)}, answered ${doneAtMs - startedAtMs}`);
  });

  test("tells its phases in their order, and takes its time where nothing else runs", async () => {
    const app = await serving("timed");
    for (const image of [v2, v3]) {
      const events: OperationEvent[] = [];
      await app.deploy(app.release(image), { onEvent: (event) => events.push(event) });
      const phases = events.filter((each) => each.type === "phase").map((each) => each.name);
      const known = releasePhases.slice(0, releasePhases.indexOf("draining"));
      expect(phases).toEqual(known.filter((phase) => !(phase in occasionalPhases)));
      expect(events.map((each) => each.seq)).toEqual(events.map((_, index) => index + 1));
      measured.push(`deploy without load, ms: ${timeline(events)}`);
    }
  });

  test("of another app, with its reload of the edge, is not felt", async () => {
    const app = await serving("neighbour");
    await using load = await app.startLoad(200);
    const newcomer = await host.addApp("newcomer");
    await newcomer.deploy(newcomer.release(v2));
    await newcomer.deploy(newcomer.release(v3));
    expect(await newcomer.versionsServed()).toEqual(["v3"]);
    expectFlawless(await load.stop([{ version: "v1" }]));
  });

  test("of what serves already changes nothing: no container, no process of the edge is new", async () => {
    const app = await serving("same");
    const workers = async (): Promise<string> =>
      /^Pid: \d+/m.exec(await askEdge(await host.connection(), "show info"))?.[0] ?? "";
    const before = { lives: lives(await containerOf(app, "1-web-1")), edge: await workers() };
    expect(await app.deploy(app.release(v1))).toMatchObject({ number: 1, unchanged: true });
    expect({ lives: lives(await containerOf(app, "1-web-1")), edge: await workers() }).toEqual(before);
    expect((await app.ledger()).deployments).toHaveLength(1);
  });

  test("waits for a long request no longer than the drain time", async () => {
    const app = await host.addApp("hasty");
    await app.deploy(app.release(v1).drainingFor(1));
    const endless = app.get("/slow?ms=60000", 60_000).then(
      ({ status }) => `answered ${status}`,
      () => "cut off",
    );
    await until("the edge has it", async () => hasConnection(app, "d1-web-1"));
    await app.deploy(app.release(v2));
    await expectToSettle(app, { serving: 2, deployments: ["#1 good", "#2 current"] }, 1_000 + cleanUpMs);
    // By the edge: the app never came to answer.
    expect(await endless).toBe("answered 502");
  });

  test("starts its workers when the web serves", async () => {
    const app = await serving("working");
    const events: OperationEvent[] = [];
    await app.deploy(app.release(v2).besideWorker("queue", v2), { onEvent: (event) => events.push(event) });
    const [queue, web] = await Promise.all([containerOf(app, "2-queue-1"), containerOf(app, "2-web-1")]);
    const switchingAtMs = events.find((each) => each.name === "switching")?.atMs ?? Infinity;
    expect(Date.parse(queue.startedAt)).toBeGreaterThan(switchingAtMs);
    expect(Date.parse(web.startedAt)).toBeLessThan(switchingAtMs);
    const services = ["queue", "web"];
    await expectToSettle(app, { serving: 2, deployments: ["#1 good", "#2 current"], services }, cleanUpMs);
  });

  async function hasConnection(app: AppOnHost, server: string): Promise<boolean> {
    const connections = await askEdge(await host.connection(), `show servers conn ${app.name}_web_8080`);
    const row = connections.split("\n").find((line) => line.includes(`/${server} `));
    const header = connections.split("\n").find((line) => line.startsWith("#")) ?? "";
    const column = header.replace(/^# /, "").split(/\s+/).indexOf("used_cur");
    return Number(row?.split(/\s+/)[column] ?? 0) > 0;
  }
});

describe("a bad release", () => {
  let app: AppOnHost;
  beforeAll(async () => {
    app = await serving("careful");
  });

  /** The first release serves as ever, all later ones failed and left nothing. */
  async function expectNothingChanged(): Promise<void> {
    const { deployments } = await app.ledger();
    const [first, ...later] = deployments.map(({ number }) => number);
    await expectToSettle(
      app,
      { serving: first, deployments: [`#${first} current`, ...later.map((number) => `#${number} failed`)] },
      cleanUpMs,
    );
    expect(later).not.toEqual([]);
    expect(await app.versionsServed()).toEqual(["v1"]);
  }

  /** When a container exited first, in ms since the epoch; it may be gone by now. */
  async function firstExitOf(container: string, sinceMs: number): Promise<number> {
    const window = `--since ${sinceMs / 1000} --until "$(date +%s.%N)"`;
    const filter = `--filter event=die --filter container=${container}`;
    const { stdout } = await host.vps.exec(`docker events ${window} ${filter} --format '{{.TimeNano}}'`);
    const [nanoseconds = ""] = stdout.split("\n");
    if (nanoseconds === "") throw new Error(`${container} never exited`);
    return Number(nanoseconds) / 1e6;
  }

  test("that crashes at its start is told at once, with its exit code and last words", async () => {
    await using load = await app.startLoad();
    const startedAtMs = Date.now();
    const events: OperationEvent[] = [];
    const crashing = app.release(v2).with({ CRASH_AT_START_CODE: "3" }).healthyBy({ timeoutSeconds: 60 });
    await expect(app.deploy(crashing, { onEvent: (event) => events.push(event) })).rejects.toMatchObject({
      code: "RELEASE_CRASHED",
      message: expect.stringContaining("exit code 3"),
      details: {
        service: "web",
        exitCode: 3,
        log: expect.arrayContaining([expect.stringContaining("crashing at start")]),
      },
    });
    const toldAtMs = Date.now();
    const exitedAtMs = await firstExitOf(`${app.name}-2-web-1`, startedAtMs);
    const seenAtMs = events.find((each) => each.name === "undo")?.atMs ?? Infinity;
    const [seenMs, toldMs] = [seenAtMs, toldAtMs].map((atMs) => Math.round(atMs - exitedAtMs));
    measured.push(`crash at start: seen ${seenMs} ms after the exit, all undone and told ${toldMs} ms after it`);
    expect(seenMs).toBeLessThan(4_000); // of 60 s that it might take to become healthy
    await expectNothingChanged();
    expectFlawless(await load.stop([{ version: "v1" }]));
  });

  test("that never becomes healthy is told with the probe's answer", async () => {
    const sick = app.release(v2).with({ NEVER_HEALTHY: "1" }).healthyBy({ timeoutSeconds: 2 });
    const startedMs = Date.now();
    await expect(app.deploy(sick)).rejects.toMatchObject({
      code: "RELEASE_UNHEALTHY",
      details: { service: "web", probe: { status: 503, said: "not healthy" } },
    });
    expect(Date.now() - startedMs).toBeGreaterThan(2_000);
    await expectNothingChanged();
  });

  test("that fails its smoke check is seen by nobody", async () => {
    await using load = await app.startLoad();
    await expect(app.deploy(app.release(failingSmoke).smokedAt("/smoke"))).rejects.toMatchObject({
      code: "RELEASE_SMOKE_FAILED",
      details: { path: "/smoke", answer: expect.stringContaining("status 500"), where: "before the switch" },
    });
    await expectNothingChanged();
    expectFlawless(await load.stop([{ version: "v1" }]));
  });

  test("that goes bad between the two smoke checks is taken back", async () => {
    // The check is as long as the release is good: as a candidate it begins in time, in public too late.
    const release = app.release(v2).with({ FAIL_PERCENT: "100", FAIL_AFTER_MS: "3000" });
    await expect(app.deploy(release.smokedAt("/slow?ms=3000", { timeoutSeconds: 20 }))).rejects.toMatchObject({
      code: "RELEASE_SMOKE_FAILED",
      details: { where: "on the public route" },
    });
    await expectNothingChanged();
  });

  test("that is cancelled in the middle leaves nothing", async () => {
    const cancelling = new AbortController();
    const deploying = app.deploy(app.release(v2).with({ NEVER_HEALTHY: "1" }), {
      signal: cancelling.signal,
      redeploy: true,
    });
    const outcome = expect(deploying).rejects.toMatchObject({ code: "CANCELLED" });
    await until("the new release listens", async () => {
      const { deployments } = await app.ledger();
      const { stdout } = await host.vps.exec(`docker logs ${app.name}-${deployments.length}-web-1`);
      return stdout.includes("listening");
    });
    cancelling.abort();
    await outcome;
    await expectNothingChanged();
  });

  test("whose worker crashes is taken back as a whole", async () => {
    await using load = await app.startLoad();
    const release = app.release(v2).besideWorker("queue", v2, { CRASH_AT_START_CODE: "7" });
    await expect(app.deploy(release, { redeploy: true })).rejects.toMatchObject({
      code: "RELEASE_CRASHED",
      details: { service: "queue", exitCode: 7 },
    });
    const backAtMs = await load.mark("back");
    await expectNothingChanged();
    expectFlawless(await load.stop([{ version: "v1" }, { version: "v2", toMs: backAtMs }]));
  });
});
