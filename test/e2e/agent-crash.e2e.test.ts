import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { releasePhases } from "../../src/agent/protocol.ts";
import type { ReleasePhase } from "../../src/agent/protocol.ts";
import type { LoadReport } from "../load/stream-report.ts";
import { expectToSettle, pushTinyWeb, startAgentHost, until } from "./fixture/index.ts";
import type { AgentHost, AppOnHost, ReleaseBuilder, TinyWebImage } from "./fixture/index.ts";

/** After its restart the agent has so long to leave exactly one release and nothing else. */
const recoveryMs = 5_000;

let host: AgentHost;
let v1: TinyWebImage;
let v2: TinyWebImage;
/** Figures for people, printed at the end. */
const measured: string[] = [];

beforeAll(async () => {
  host = await startAgentHost("crash");
  [v1, v2] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2")]);
  for (const { reference } of [v1, v2]) await host.vps.exec(`docker pull -q ${reference}`);
}, 300_000);

afterAll(async () => {
  process.stdout.write(measured.map((line) => `measured: ${line}\n`).join(""));
  await host[Symbol.asyncDispose]();
}, 60_000);

/** From the entry into `switched` on, the ledger says that the new release is the current one. */
function isSwitched(phase: ReleasePhase): boolean {
  return releasePhases.indexOf(phase) >= releasePhases.indexOf("switched");
}

/** Starts a deploy whose client is about to die, and waits until it stands still in the phase. */
async function deployHeldIn(
  phase: ReleasePhase,
  app: AppOnHost,
  release: ReleaseBuilder,
): Promise<{ key: string; dropClient: () => Promise<void> }> {
  await host.agentProcess.hold(phase);
  const client = host.openClient({ reconnectMs: 0 });
  const key = randomUUID();
  const outcome = app.deploy(release, { client, key }).then(
    () => "ended",
    () => "lost",
  );
  await until(`the journal says ${phase}`, async () => {
    const { operations } = await app.ledger();
    return operations.some((each) => each.key === key && each.phase === phase);
  });
  return {
    key,
    dropClient: async () => {
      await client.close();
      await outcome;
    },
  };
}

/** Kills client and agent; the phase is free when the agent comes back. Gives when it was started again, in ms since the epoch. */
async function crash(dropClient: () => Promise<void>): Promise<{ killedAtMs: number; startedAtMs: number }> {
  await dropClient();
  const killedAtMs = await host.agentProcess.kill();
  await host.agentProcess.letGo();
  return { killedAtMs, startedAtMs: await host.agentProcess.startedAfter(killedAtMs) };
}

/** The same operation asked for again, as a client does that comes back. */
function askAgain(app: AppOnHost, release: ReleaseBuilder, key: string) {
  return app.deploy(release, { key });
}

function expectNoFailures(report: LoadReport): void {
  for (const { name, sent, failures, failed, unexpected } of report.streams) {
    expect({ name, failures, failed }).toEqual({ name, failures: {}, failed: 0 });
    expect({ name, unexpected: unexpected?.examples ?? [] }).toEqual({ name, unexpected: [] });
    expect(sent).toBeGreaterThan(20);
  }
}

describe("the agent is killed in a deploy, and its client too", () => {
  const ran: string[] = [];

  test.each(releasePhases)("in the phase %s", async (phase) => {
    const app = await host.addApp(`at-${phase}`);
    await app.deploy(app.release(v1));
    await host.agentProcess.restart();
    await using load = await app.startLoad();
    const next = app.release(v2);
    const deployedAtMs = await load.mark("deploy");

    const { key, dropClient } = await deployHeldIn(phase, app, next);
    const heldAtMs = await load.mark("held");
    const { killedAtMs, startedAtMs } = await crash(dropClient);
    await host.agent.handshake();
    const answeredAtMs = Date.now();
    const wasBegun = phase !== "accepted";
    await expectToSettle(
      app,
      isSwitched(phase)
        ? { serving: 2, deployments: ["#1 good", "#2 current"] }
        : { serving: 1, deployments: ["#1 current", ...(wasBegun ? ["#2 failed"] : [])] },
      startedAtMs + recoveryMs - Date.now(),
    );
    measured.push(
      `killed in ${phase}: started again after ${startedAtMs - killedAtMs} ms, answers ${answeredAtMs - startedAtMs} ms later, settled at ${Date.now() - startedAtMs} ms`,
    );
    expect(await app.versionsServed()).toEqual([isSwitched(phase) ? "v2" : "v1"]);

    const repeatedAtMs = await load.mark("repeat");
    if (isSwitched(phase)) {
      expect(await askAgain(app, next, key)).toMatchObject({ number: 2, unchanged: false });
      expect(await app.deploy(next)).toMatchObject({ number: 2, unchanged: true });
    } else {
      await expect(askAgain(app, next, key)).rejects.toMatchObject({ code: "RELEASE_INTERRUPTED" });
      expect(await app.deploy(next)).toMatchObject({ number: wasBegun ? 3 : 2, unchanged: false });
    }
    expect(await app.versionsServed()).toEqual(["v2"]);
    const switchedAtMs = isSwitched(phase) ? heldAtMs : await load.mark("switched");
    expectNoFailures(
      await load.stop([
        { version: "v1", toMs: switchedAtMs },
        { version: "v2", fromMs: isSwitched(phase) ? deployedAtMs : repeatedAtMs },
      ]),
    );
    await app.remove();
    ran.push(phase);
  });

  test("those are all the phases that the agent has", async () => {
    const { phases } = await host.agent.handshake();
    expect(phases).toHaveLength(9);
    expect(ran).toEqual(phases);
  });
});
