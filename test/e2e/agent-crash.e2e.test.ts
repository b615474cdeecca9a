import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { occasionalPhases, releasePhases } from "../../src/agent/protocol/phases.ts";
import type { ReleasePhase } from "../../src/agent/protocol/phases.ts";
import type { OperationEvent } from "../../src/agent/protocol/wire.ts";
import {
  crash,
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
import type { AgentHost, AppOnHost, DoomedDeploy, Expected, TinyWebImage } from "./fixture/index.ts";

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
});

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

/** Where an app stands: what serves, and a release that is another. */
interface Standing {
  readonly number: number;
  readonly version: string;
  readonly next: TinyWebImage;
  /** Each deployment of the ledger, as {@link expectToSettle} takes them. */
  readonly deployments: readonly string[];
  /** Number that the next deployment gets. */
  readonly nextNumber: number;
}

async function standingOf(app: AppOnHost): Promise<Standing> {
  const { deployments } = await app.ledger();
  const current = deployments.find((each) => each.status === "current");
  if (current === undefined) throw new Error(`nothing of ${app.name} serves`);
  return {
    number: current.number,
    version: current.version,
    next: current.version === v1.version ? v2 : v1,
    deployments: deployments.map((each) => `#${each.number} ${each.status}`),
    nextNumber: deployments.length + 1,
  };
}

/** After a deploy that came to nothing. */
function unchanged({ number, deployments, nextNumber }: Standing): Expected {
  return { serving: number, deployments: [...deployments, `#${nextNumber} failed`] };
}

/** After a deploy that came to serve. */
function replaced({ deployments, nextNumber }: Standing): Expected {
  return {
    serving: nextNumber,
    deployments: [...deployments.map((each) => each.replace("current", "good")), `#${nextNumber} current`],
  };
}

describe("the agent is killed in a deploy, and its client too", () => {
  /** The others have their crashes in strategies.e2e.test.ts. */
  const usual = releasePhases.filter((phase) => !(phase in occasionalPhases));
  const ran: string[] = [];
  let app: AppOnHost;
  beforeAll(async () => {
    app = await serving("shop");
  });

  test.each(usual)("in the phase %s", async (phase) => {
    await host.agentProcess.restart();
    const before = await standingOf(app);
    const next = app.release(before.next);
    const switched = isSwitched(phase);
    const wasBegun = phase !== "accepted";
    const wasSeen = switched || phase === "baking";
    const notBegun = { serving: before.number, deployments: [...before.deployments] };
    const after = switched ? replaced(before) : wasBegun ? unchanged(before) : notBegun;
    await using load = await app.startLoad();
    const deployedAtMs = await load.mark("deploy");

    const doomed = await startHeldIn(phase, host, app, (options) => app.deploy(next, { ...options, keep: 50 }));
    const heldAtMs = await load.mark("held");
    const { killedAtMs, startedAtMs } = await crash(host, doomed);
    await host.agent.handshake();
    const answeredAtMs = Date.now();
    await expectToSettle(app, after, startedAtMs + recoveryMs - Date.now());
    const [again, answers, settled] = [startedAtMs - killedAtMs, answeredAtMs - startedAtMs, Date.now() - startedAtMs];
    measured.push(
      `killed in ${phase}: started again after ${again} ms; answers ${answers} ms, settled ${settled} ms later`,
    );
    expect(await app.versionsServed()).toEqual([switched ? before.next.version : before.version]);

    const repeatedAtMs = await load.mark("repeat");
    const reattached = app.deploy(next, { key: doomed.key });
    if (switched) {
      expect(await reattached).toMatchObject({ number: before.nextNumber, unchanged: false });
      expect(await app.deploy(next, { keep: 50 })).toMatchObject({ number: before.nextNumber, unchanged: true });
    } else {
      await expect(reattached).rejects.toMatchObject({ code: "RELEASE_INTERRUPTED" });
      const number = before.nextNumber + (wasBegun ? 1 : 0);
      expect(await app.deploy(next, { keep: 50 })).toMatchObject({ number, unchanged: false });
    }
    expect(await app.versionsServed()).toEqual([before.next.version]);
    const switchedAtMs = switched ? heldAtMs : await load.mark("switched");
    const report = await load.stop([
      { version: before.version, toMs: switchedAtMs },
      { version: before.next.version, fromMs: wasSeen ? deployedAtMs : repeatedAtMs },
    ]);
    expectFlawless(report);
    ran.push(phase);
  });

  test("those are all the phases that the agent has", async () => {
    const { phases } = await host.agent.handshake();
    expect(phases).toHaveLength(10 + Object.keys(occasionalPhases).length);
    expect(ran).toEqual(phases.filter((phase) => !(phase in occasionalPhases)));
  });

  test("when the edge has switched and the ledger does not know yet", async () => {
    await host.agentProcess.restart();
    const before = await standingOf(app);
    const next = app.release(before.next).smokedAt("/slow?ms=3000");
    await using load = await app.startLoad();
    const doomed = await startDoomed(host, (options) => app.deploy(next, options));
    await until("the next release answers", async () => (await app.get()).version === before.next.version);
    const started = { number: before.nextNumber, status: "started", version: before.next.version };
    expect((await app.ledger()).deployments.at(-1)).toEqual(started);
    const { startedAtMs } = await crash(host, doomed);
    await expectToSettle(app, unchanged(before), startedAtMs + recoveryMs - Date.now());
    const settledAtMs = await load.mark("settled");
    expect(await app.versionsServed()).toEqual([before.version]);
    const report = await load.stop([{ version: before.version }, { version: before.next.version, toMs: settledAtMs }]);
    expectFlawless(report);
  });

  test("twice in a row, the second time while it recovers", async () => {
    await host.agentProcess.restart();
    const before = await standingOf(app);
    await using load = await app.startLoad();
    const next = app.release(before.next);
    const doomed = await startHeldIn("switching", host, app, (options) => app.deploy(next, options));
    await doomed.dropClient();
    const firstAtMs = Date.now();
    const killedAtMs = await host.agentProcess.killTwice();
    await host.agentProcess.letGo();
    const startedAtMs = await host.agentProcess.startedAfter(killedAtMs);
    await expectToSettle(app, unchanged(before), startedAtMs + recoveryMs - Date.now());
    expect(await host.agentProcess.countReady(firstAtMs)).toBe(1); // the second one was killed before
    expectFlawless(await load.stop([{ version: before.version }]));
  });

  const moments = [
    { moment: "compose has just begun", when: () => "pgrep -x docker-compose" },
    { moment: "the new container is made", when: (name: string) => `docker inspect ${name}` },
    {
      moment: "the new container runs",
      when: (name: string) => `[ "$(docker inspect -f '{{.State.Running}}' ${name})" = true ]`,
    },
  ];
  test.each(moments)("when $moment", async ({ when }) => {
    await host.agentProcess.restart();
    const before = await standingOf(app);
    await using load = await app.startLoad();
    // Held at both ends, so that the moment comes after the watch has begun, and the deploy does not get past it.
    await host.agentProcess.hold("gating");
    const doomed = await startHeldIn("starting", host, app, (options) => app.deploy(app.release(before.next), options));
    const killedAtMs = await host.agentProcess.killOnce(when(`${app.name}-${before.nextNumber}-web-1`), "starting");
    await doomed.dropClient();
    await host.agentProcess.letGo();
    const startedAtMs = await host.agentProcess.startedAfter(killedAtMs);
    await expectToSettle(app, unchanged(before), startedAtMs + recoveryMs - Date.now());
    expectFlawless(await load.stop([{ version: before.version }]));
  });

  test("when it takes a bad release back", async () => {
    await host.agentProcess.restart();
    const before = await standingOf(app);
    await using load = await app.startLoad();
    const bad = app.release(before.next).with({ CRASH_AT_START_CODE: "1" });
    const undoing = Promise.withResolvers<undefined>();
    const onEvent = ({ name }: OperationEvent): void => {
      if (name === "undo") undoing.resolve(undefined);
    };
    const doomed = await startDoomed(host, (options) => app.deploy(bad, options), onEvent);
    await undoing.promise;
    const { startedAtMs } = await crash(host, doomed);
    await expectToSettle(app, unchanged(before), startedAtMs + recoveryMs - Date.now());
    expectFlawless(await load.stop([{ version: before.version }]));
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
  });

  test("in the phase switched: it serves", async () => {
    const app = await host.addApp("first-switched");
    await host.agentProcess.restart();
    const doomed = await startHeldIn("switched", host, app, (options) => app.deploy(app.release(v1), options));
    const { startedAtMs } = await crash(host, doomed);
    await expectToSettle(app, { serving: 1, deployments: ["#1 current"] }, startedAtMs + recoveryMs - Date.now());
    expect(await app.versionsServed()).toEqual(["v1"]);
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
  });

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
  let app: AppOnHost;
  beforeAll(async () => {
    app = await serving("powered");
  });

  test("in the phase switching: the release before serves after the boot", async () => {
    const before = await standingOf(app);
    const next = app.release(before.next);
    await losePower(await startHeldIn("switching", host, app, (options) => app.deploy(next, options)));
    await expectToSettle(app, unchanged(before), bootRecoveryMs);
    expect(await app.versionsServed()).toEqual([before.version]);
  });

  test("after the switch, before the ledger knows: the release before serves after the boot", async () => {
    const before = await standingOf(app);
    const next = app.release(before.next).smokedAt("/slow?ms=3000");
    const doomed = await startDoomed(host, (options) => app.deploy(next, options));
    await until("the next release answers", async () => (await app.get()).version === before.next.version);
    await losePower(doomed);
    await expectToSettle(app, unchanged(before), bootRecoveryMs);
    expect(await app.versionsServed()).toEqual([before.version]);
  });

  test("in the phase draining: the new release serves after the boot", async () => {
    const before = await standingOf(app);
    const next = app.release(before.next);
    await losePower(await startHeldIn("draining", host, app, (options) => app.deploy(next, options)));
    await expectToSettle(app, replaced(before), bootRecoveryMs);
    expect(await app.versionsServed()).toEqual([before.next.version]);
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
