import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { releasePhases } from "../../src/agent/protocol.ts";
import type { ReleasePhase } from "../../src/agent/protocol.ts";
import {
  crash,
  edgeServersOf,
  expectFlawless,
  expectToSettle,
  postgresService,
  pushTinyWeb,
  query,
  startAgentHost,
  startDoomed,
  startHeldIn,
  until,
} from "./fixture/index.ts";
import type { AgentHost, AppOnHost, DoomedDeploy, TinyWebImage } from "./fixture/index.ts";

/** After its restart the agent has so long to leave exactly one release and nothing else. */
const recoveryMs = 5_000;
/** After a power loss the engine starts every container anew as well. */
const bootRecoveryMs = 15_000;

let host: AgentHost;
let v1: TinyWebImage;
let v2: TinyWebImage;
/** Figures for people, printed at the end. */
const measured: string[] = [];

beforeAll(async () => {
  host = await startAgentHost("crash");
  [v1, v2] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2")]);
  await host.pull(v1.reference, v2.reference);
}, 300_000);

afterAll(async () => {
  process.stdout.write(measured.map((line) => `measured: ${line}\n`).join(""));
  await host[Symbol.asyncDispose]();
}, 60_000);

/** From the entry into `switched` on, the ledger says that the new release is the current one. */
function isSwitched(phase: ReleasePhase): boolean {
  return releasePhases.indexOf(phase) >= releasePhases.indexOf("switched");
}

/** An app whose v1 serves, on an agent that Docker will start again at once when it falls. */
async function serving(name: string): Promise<AppOnHost> {
  const app = await host.addApp(name);
  await app.deploy(app.release(v1));
  await host.agentProcess.restart();
  return app;
}

describe("the agent is killed in a deploy, and its client too", () => {
  const ran: string[] = [];

  test.each(releasePhases)("in the phase %s", async (phase) => {
    const app = await serving(`at-${phase}`);
    const next = app.release(v2);
    const switched = isSwitched(phase);
    const wasBegun = phase !== "accepted";
    await using load = await app.startLoad();
    const deployedAtMs = await load.mark("deploy");

    const doomed = await startHeldIn(phase, host, app, (options) => app.deploy(next, options));
    const heldAtMs = await load.mark("held");
    const { killedAtMs, startedAtMs } = await crash(host, doomed);
    await host.agent.handshake();
    const answeredAtMs = Date.now();
    await expectToSettle(
      app,
      switched
        ? { serving: 2, deployments: ["#1 good", "#2 current"] }
        : { serving: 1, deployments: ["#1 current", ...(wasBegun ? ["#2 failed"] : [])] },
      startedAtMs + recoveryMs - Date.now(),
    );
    const [again, answers, settled] = [startedAtMs - killedAtMs, answeredAtMs - startedAtMs, Date.now() - startedAtMs];
    measured.push(
      `killed in ${phase}: started again after ${again} ms; answers ${answers} ms, settled ${settled} ms later`,
    );
    expect(await app.versionsServed()).toEqual([switched ? "v2" : "v1"]);

    const repeatedAtMs = await load.mark("repeat");
    const reattached = app.deploy(next, { key: doomed.key });
    if (switched) {
      expect(await reattached).toMatchObject({ number: 2, unchanged: false });
      expect(await app.deploy(next)).toMatchObject({ number: 2, unchanged: true });
    } else {
      await expect(reattached).rejects.toMatchObject({ code: "RELEASE_INTERRUPTED" });
      expect(await app.deploy(next)).toMatchObject({ number: wasBegun ? 3 : 2, unchanged: false });
    }
    expect(await app.versionsServed()).toEqual(["v2"]);
    const switchedAtMs = switched ? heldAtMs : await load.mark("switched");
    const report = await load.stop([
      { version: "v1", toMs: switchedAtMs },
      { version: "v2", fromMs: switched ? deployedAtMs : repeatedAtMs },
    ]);
    expectFlawless(report);
    await app.remove();
    ran.push(phase);
  });

  test("those are all the phases that the agent has", async () => {
    const { phases } = await host.agent.handshake();
    expect(phases).toHaveLength(9);
    expect(ran).toEqual(phases);
  });

  test("when the edge has switched and the ledger does not know yet", async () => {
    const app = await serving("between");
    const next = app.release(v2).smokedAt("/slow?ms=1500");
    await using load = await app.startLoad();
    const doomed = await startDoomed(host, (options) => app.deploy(next, options));
    await until("v2 serves", async () => (await app.get()).version === "v2");
    expect((await app.ledger()).deployments).toEqual([
      { number: 1, status: "current", version: "v1" },
      { number: 2, status: "started", version: "v2" },
    ]);
    const { startedAtMs } = await crash(host, doomed);
    const back = { serving: 1, deployments: ["#1 current", "#2 failed"] };
    await expectToSettle(app, back, startedAtMs + recoveryMs - Date.now());
    const settledAtMs = await load.mark("settled");
    expect(await app.versionsServed()).toEqual(["v1"]);
    expectFlawless(await load.stop([{ version: "v1" }, { version: "v2", toMs: settledAtMs }]));
    await app.remove();
  });

  test("twice in a row, the second time while it recovers", async () => {
    const app = await serving("twice");
    await using load = await app.startLoad();
    const doomed = await startHeldIn("switching", host, app, (options) => app.deploy(app.release(v2), options));
    const { startedAtMs } = await crash(host, doomed);
    const againAtMs = await host.agentProcess.kill();
    expect(againAtMs - startedAtMs).toBeLessThan(500); // it was not done yet: it takes longer to answer
    const lastStartMs = await host.agentProcess.startedAfter(againAtMs);
    const back = { serving: 1, deployments: ["#1 current", "#2 failed"] };
    await expectToSettle(app, back, lastStartMs + recoveryMs - Date.now());
    expectFlawless(await load.stop([{ version: "v1" }]));
    await app.remove();
  });

  test("at moments that no phase names", async () => {
    const app = await serving("anytime");
    await using load = await app.startLoad();
    let known = 1;
    for (const [index, delayMs] of [0, 300, 600, 900, 1200].entries()) {
      await host.agentProcess.restart();
      const release = app.release(index % 2 === 0 ? v2 : v1).with({ GREETING: `attempt-${index}` });
      const doomed = await startDoomed(host, (options) => app.deploy(release, options));
      // Not a wait for anything: the moment is what is tried.
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      const { startedAtMs } = await crash(host, doomed);
      await host.agent.handshake();
      const { deployments, operations } = await app.ledger();
      const current = deployments.find((each) => each.status === "current")?.number;
      known = deployments.length;
      expect(deployments.filter((each) => each.status === "started")).toEqual([]);
      const statuses = deployments.map((each) => `#${each.number} ${each.status}`);
      await expectToSettle(app, { serving: current, deployments: statuses }, startedAtMs + recoveryMs - Date.now());
      const operation = operations.find((each) => each.key === doomed.key);
      measured.push(
        `killed ${delayMs} ms into a deploy: it was in ${operation?.phase ?? "no phase"}, #${current} serves`,
      );
      const version = deployments.find((each) => each.number === current)?.version;
      expect(await app.versionsServed()).toEqual([version]);
      const hasSucceeded = operation?.state === "succeeded";
      expect(hasSucceeded).toBe(operation !== undefined && current === known);
    }
    expect(known).toBeGreaterThan(2);
    expectFlawless(await load.stop());
    await app.remove();
  });
});

describe("the agent is killed in an app's first deploy", () => {
  test.each(["starting", "switching"] as const)("in the phase %s: nothing serves, nothing is left", async (phase) => {
    const app = await host.addApp(`first-${phase}`);
    await host.agentProcess.restart();
    const doomed = await startHeldIn(phase, host, app, (options) => app.deploy(app.release(v1), options));
    const { startedAtMs } = await crash(host, doomed);
    const nothing = { serving: undefined, deployments: ["#1 failed"] };
    await expectToSettle(app, nothing, startedAtMs + recoveryMs - Date.now());
    expect(await app.versionsServed()).toEqual(["none (status 503)"]);

    expect(await app.deploy(app.release(v1))).toMatchObject({ number: 2 });
    expect(await app.versionsServed()).toEqual(["v1"]);
    await app.remove();
  });

  test("in the phase switched: it serves", async () => {
    const app = await host.addApp("first-switched");
    await host.agentProcess.restart();
    const doomed = await startHeldIn("switched", host, app, (options) => app.deploy(app.release(v1), options));
    const { startedAtMs } = await crash(host, doomed);
    await expectToSettle(app, { serving: 1, deployments: ["#1 current"] }, startedAtMs + recoveryMs - Date.now());
    expect(await app.versionsServed()).toEqual(["v1"]);
    await app.remove();
  });
});

describe("the agent is killed while the accessories change", () => {
  const container = "stocked-accessories-db-1";
  let app: AppOnHost;
  let database: Record<string, unknown>;

  beforeAll(async () => {
    app = await host.addApp("stocked");
    database = await postgresService(host);
    await app.deployAccessories({ db: database }, ["data"]);
    await app.deploy(app.release(v1));
    await query(host.vps, container, "create table stock as select 42 as pieces");
  }, 60_000);
  afterAll(() => app.remove());

  test.each(["accepted", "network", "starting", "gating"])("in the phase %s", async (phase) => {
    const changed = {
      db: { ...database, environment: { POSTGRES_PASSWORD: "secret", POSTGRES_USER: "app", TRIED: phase } },
    };
    await host.agentProcess.restart();
    await using load = await app.startLoad();
    const doomed = await startHeldIn(phase, host, app, (options) => app.deployAccessories(changed, ["data"], options));
    const { startedAtMs } = await crash(host, doomed);
    const same = { serving: 1, deployments: ["#1 current"], accessories: ["db"] };
    await expectToSettle(app, same, startedAtMs + recoveryMs - Date.now());
    await expect(app.deployAccessories(changed, ["data"], { key: doomed.key })).rejects.toMatchObject({
      code: "RELEASE_INTERRUPTED",
    });

    await app.deployAccessories(changed, ["data"]);
    await expectToSettle(app, same, recoveryMs);
    const [db] = (await app.world()).containers.filter((each) => each.name === container);
    expect(db?.environment).toContain(`TRIED=${phase}`);
    expect(Object.keys(db?.networks ?? {}).sort()).toEqual(["stocked-1", "stocked-accessories"]);
    expect(await query(host.vps, container, "select pieces from stock")).toBe("42");
    expectFlawless(await load.stop([{ version: "v1" }]));
  });
});

describe("the host loses its power in a deploy", () => {
  test("in the phase switching: the release before serves after the boot", async () => {
    const app = await serving("power-switching");
    const doomed = await startHeldIn("switching", host, app, (options) => app.deploy(app.release(v2), options));
    await losePower(doomed);
    await expectToSettle(app, { serving: 1, deployments: ["#1 current", "#2 failed"] }, bootRecoveryMs);
    expect(await app.versionsServed()).toEqual(["v1"]);
    await app.remove();
  });

  test("after the switch, before the ledger knows: the release before serves after the boot", async () => {
    const app = await serving("power-between");
    const doomed = await startDoomed(host, (options) => app.deploy(app.release(v2).smokedAt("/slow?ms=1500"), options));
    const isAhead = async (): Promise<boolean> => {
      const servers = await edgeServersOf(await host.connection(), app.name);
      return servers.some((each) => each.name === "d2-web-1" && !each.backend.endsWith("_candidate"));
    };
    await until("v2 is on the edge", isAhead);
    await losePower(doomed);
    await expectToSettle(app, { serving: 1, deployments: ["#1 current", "#2 failed"] }, bootRecoveryMs);
    expect(await app.versionsServed()).toEqual(["v1"]);
    await app.remove();
  });

  test("in the phase draining: the new release serves after the boot", async () => {
    const app = await serving("power-draining");
    const doomed = await startHeldIn("draining", host, app, (options) => app.deploy(app.release(v2), options));
    await losePower(doomed);
    await expectToSettle(app, { serving: 2, deployments: ["#1 good", "#2 current"] }, bootRecoveryMs);
    expect(await app.versionsServed()).toEqual(["v2"]);
    await app.remove();
  });

  async function losePower(doomed: DoomedDeploy): Promise<void> {
    await host.vps.powerLoss();
    await doomed.dropClient();
    await host.vps.boot();
    const bootedAtMs = Date.now();
    await host.agentProcess.letGo();
    await host.agent.handshake();
    measured.push(`after a power loss the agent answers ${Date.now() - bootedAtMs} ms after the engine`);
  }
});
