import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import type { AgentClient } from "../core/transport/agent-client.ts";
import { eventNumber, ScriptedAgent, siteRemoval } from "../../test/doubles/scripted-agent.ts";
import { waitUntil } from "../../test/lab/wait-until.ts";
import { ApiRig, hostEventNumber, newKey } from "../../test/rigs/api-link.ts";

// The real API and the real agent's side of the link, before an agent that says what the test wants.

let rig: ApiRig;
let agent: ScriptedAgent;
let agentToken: string;
let callerToken: string;

beforeEach(async () => {
  [rig, agent] = await Promise.all([ApiRig.start(), ScriptedAgent.start()]);
  agentToken = (await rig.token("agent", "vps1")).text;
  callerToken = (await rig.token("caller", "vps1")).text;
  agent.script["app.history"] = (_params, reply) => {
    reply.result({ deployments: [] });
  };
});

afterEach(async () => {
  await rig.remove();
  await agent.remove();
});

const history = (client: AgentClient) => client.call("app.history", { app: "shop" });

/** A link, and a client that has reached the agent through it. */
async function connected() {
  const link = rig.link(agentToken, agent.path);
  const client = rig.agent("vps1", callerToken, { waitForHostMs: 5_000 });
  await history(client);
  return { link, client };
}

describe("a host that dials out", () => {
  test("is asked through the API as it is over SSH", async () => {
    const { client } = await connected();
    expect(await history(client)).toEqual({ deployments: [] });
    expect(agent.seen.map(({ method }) => method)).toEqual(["handshake", "app.history", "app.history"]);
    agent.script["app.history"] = (_params, reply) => {
      reply.error("APP_UNKNOWN", "there is no shop");
    };
    await expect(history(client)).rejects.toMatchObject({ code: "APP_UNKNOWN" });
  });

  test("answers at once: of twenty questions, one after another, none waits for the end of a poll", async () => {
    const { client } = await connected();
    const startedMs = performance.now();
    for (let asked = 0; asked < 20; asked++) await history(client);
    // A poll takes a second where nothing comes.
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });

  test("takes and gives messages that are as long as any may be", async () => {
    const { client } = await connected();
    const source = { text: '"'.repeat(1_500_000) };
    const deployment = { number: 1, app: "shop", version: "v1", bundle: `sha256:${"0".repeat(64)}`, digest: "d" };
    agent.script["app.deployment"] = (_params, reply) => {
      reply.result({ deployment: { ...deployment, status: "good", startedAtMs: 1, by: "a test" }, source });
    };
    expect((await client.call("app.deployment", { app: "shop", number: 1 })).source).toEqual(source);
  });

  test("does not hold up one caller for another, and hears when one goes", async () => {
    const { client } = await connected();
    const other = await rig.channels("vps1", callerToken).open();
    agent.script["app.status"] = () => undefined;
    other.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "app.status", params: {} })}\n`);
    await waitUntil("the other has asked", () => agent.calls("app.status").length === 1);
    expect(await history(client)).toEqual({ deployments: [] });
    expect(agent.openConnections).toBe(2);
    other.destroy();
    await waitUntil("its connection is closed", () => agent.openConnections === 1);
  });
});

describe("an operation", () => {
  const key = "operation-key-0001";
  const request = { key, input: { app: "shop" }, expectedGeneration: 3 };

  beforeEach(() => {
    agent.script["operation.start"] = (_params, reply) => {
      reply.result(siteRemoval(key));
    };
  });

  test("goes on through a restart of the API: every event once, in order, and started once", async () => {
    const { client } = await connected();
    const told: number[] = [];
    agent.script["operation.attach"] = ({ after = 0 }, reply, { connection }) => {
      for (const seq of [1, 2, 3].map((each) => after + each)) reply.event(eventNumber(seq), key);
      if (connection > 1) reply.result(siteRemoval(key, { state: "succeeded", result: {}, generation: 4 }));
    };
    const done = client.runOperation("site.remove", { ...request, onEvent: ({ seq }) => told.push(seq) });
    await waitUntil("three are told", () => told.length === 3);
    await rig.down();
    await rig.up();
    expect(await done).toMatchObject({ generation: 4 });
    expect(told).toEqual([1, 2, 3, 4, 5, 6]);
    expect(agent.calls("operation.start")).toHaveLength(1);
  });

  test("goes on when the agent was away for a while", async () => {
    const { client, link } = await connected();
    agent.script["operation.attach"] = (_params, reply, { connection }) => {
      if (connection > 1) reply.result(siteRemoval(key, { state: "succeeded", result: {}, generation: 4 }));
    };
    const done = client.runOperation("site.remove", request);
    await waitUntil("it is attached to", () => agent.calls("operation.attach").length === 1);
    link.stop();
    await waitUntil("the host is away", async () => {
      const error: unknown = await history(rig.agent("vps1", callerToken)).catch((thrown: unknown) => thrown);
      return (error as { code?: string }).code === "HOST_AWAY";
    });
    rig.link(agentToken, agent.path);
    expect(await done).toMatchObject({ generation: 4 });
  });

  describe("that is cancelled, by a signal that also ends the waiting for the host,", () => {
    const error = { code: "CANCELLED", message: "cancelled on the host", hint: "", details: {} };
    let controller: AbortController;

    /** An operation under way on a host that ends it once it is told to. */
    async function underWay(options: { comeBackMs?: number; reconnectMs?: number } = {}) {
      controller = new AbortController();
      const { signal } = controller;
      const link = rig.link(agentToken, agent.path);
      const client = rig.agent("vps1", callerToken, { waitForHostMs: 600_000, signal, ...options });
      const cancelled = siteRemoval(key, { state: "cancelled", error, generation: 4 });
      agent.script["operation.attach"] = (_params, reply) => {
        if (agent.calls("operation.cancel").length > 0) reply.result(cancelled);
        agent.script["operation.cancel"] = (_cancel, cancelReply) => {
          cancelReply.result({});
          reply.result(cancelled);
        };
      };
      const done = client.runOperation("site.remove", { ...request, signal }).catch((thrown: unknown) => thrown);
      await waitUntil("it is attached to", () => agent.calls("operation.attach").length === 1);
      return { link, done };
    }

    test("is cancelled there", async () => {
      const { done } = await underWay();
      controller.abort();
      expect(await done).toMatchObject(error);
    });

    test("is looked for where its host is away just then, and cancelled there", async () => {
      const { link, done } = await underWay();
      link.stop();
      await waitUntil("the host is away", () => agent.openConnections === 0);
      controller.abort();
      rig.link(agentToken, agent.path);
      expect(await done).toMatchObject(error);
    });

    test("is looked for no longer than a host takes to come back", async () => {
      const { link, done } = await underWay({ comeBackMs: 400, reconnectMs: 400 });
      link.stop();
      await waitUntil("the host is away", () => agent.openConnections === 0);
      controller.abort();
      expect(await done).toMatchObject({ code: "AGENT_CONNECTION_LOST", cause: { code: "HOST_AWAY" } });
    });
  });

  test("whose host stays away ends as lost, and says when that was last seen", async () => {
    const { link } = await connected();
    const client = rig.agent("vps1", callerToken, { comeBackMs: 500, reconnectMs: 500 });
    agent.script["operation.attach"] = () => undefined;
    const done = client.runOperation("site.remove", request).catch((error: unknown) => error);
    await waitUntil("it is attached to", () => agent.calls("operation.attach").length === 1);
    link.stop();
    const cause = { code: "HOST_AWAY", message: expect.stringContaining("vps1 was last seen ") as unknown };
    expect(await done).toMatchObject({ code: "AGENT_CONNECTION_LOST", cause });
  });
});

describe("a host that is away", () => {
  test("is told at once, with when it was last seen", async () => {
    await expect(history(rig.agent("vps1", callerToken))).rejects.toMatchObject({
      code: "HOST_AWAY",
      message: "vps1 was never connected to the API.",
    });
    await rig.store.hostSeen("vps1", Date.now() - 180_000);
    const startedMs = performance.now();
    await expect(history(rig.agent("vps1", callerToken))).rejects.toMatchObject({
      code: "HOST_AWAY",
      message: expect.stringMatching(/^vps1 was last seen \d{4}-.*Z \(3 min ago\)\.$/) as unknown,
    });
    // A caller that waits does so for minutes.
    expect(performance.now() - startedMs).toBeLessThan(15_000);
  });

  test("queues what it is asked, and does it when it comes", async () => {
    const queued: string[] = [];
    const client = rig.agent("vps1", callerToken, { waitForHostMs: 20_000, onQueued: (text) => queued.push(text) });
    const asked = history(client);
    await waitUntil("it is said", () => queued.length === 1);
    expect(queued).toEqual(["queued: vps1 was never connected to the API. Waiting up to 20 s."]);
    rig.link(agentToken, agent.path);
    expect(await asked).toEqual({ deployments: [] });
    expect(queued).toHaveLength(1);
  });

  test("is waited for no longer than was said", async () => {
    const startedMs = performance.now();
    const client = rig.agent("vps1", callerToken, { waitForHostMs: 1_200 });
    await expect(history(client)).rejects.toMatchObject({ code: "HOST_AWAY" });
    expect(performance.now() - startedMs).toBeGreaterThan(1_150);
    expect(performance.now() - startedMs).toBeLessThan(4_000);
  });

  test("never begins what was cancelled while it was queued", async () => {
    const controller = new AbortController();
    const onQueued = (): void => {
      controller.abort();
    };
    const options = { waitForHostMs: 20_000, onQueued, signal: controller.signal };
    const client = rig.agent("vps1", callerToken, options);
    const request = { key: newKey(), input: { app: "shop" }, expectedGeneration: 3, signal: controller.signal };
    await expect(client.runOperation("site.remove", request)).rejects.toMatchObject({ code: "CANCELLED" });
    await connected();
    expect(agent.calls("operation.start")).toEqual([]);
  });

  test("waits with the caller for an API that is down", async () => {
    await rig.down();
    await expect(history(rig.agent("vps1", callerToken))).rejects.toMatchObject({ code: "API_UNREACHABLE" });
    const queued: string[] = [];
    const client = rig.agent("vps1", callerToken, { waitForHostMs: 20_000, onQueued: (text) => queued.push(text) });
    const asked = history(client);
    await waitUntil("it is said", () => queued.length === 1);
    await rig.up();
    rig.link(agentToken, agent.path);
    expect(await asked).toEqual({ deployments: [] });
  });
});

test("events that were told while the API was away come when it is back: once, in order", async () => {
  const { link } = await connected();
  link.outbox.add(hostEventNumber(1));
  const kept = async (): Promise<string[]> =>
    (await rig.store.events("vps1", 0, 1000)).map(({ number, event }) => `${number} ${event.message}`);
  await waitUntil("the first is there", async () => (await kept()).length === 1);
  await rig.down();
  for (let number = 2; number <= 120; number++) link.outbox.add(hostEventNumber(number));
  await rig.up();
  await waitUntil("the last is there", async () => (await kept()).length === 120);
  expect(await kept()).toEqual(Array.from({ length: 120 }, (_, index) => `${index + 1} step ${index + 1}`));
  await waitUntil("nothing waits any more", () => link.outbox.chunk() === undefined);
});

test("an API whose disk is full goes on passing on what is asked, and gets the events later", async () => {
  const full = (): never => {
    throw new Error("database or disk is full");
  };
  const mocks = (["addEvents", "hostSeen", "tokenUsed"] as const).map((name) =>
    jest.spyOn(rig.store, name).mockImplementation(full),
  );
  const { link, client } = await connected();
  link.outbox.add(hostEventNumber(1));
  await waitUntil("the event is refused, and refused again", () => (mocks[0]?.mock.calls.length ?? 0) > 1);
  expect(await history(client)).toEqual({ deployments: [] });
  expect(agent.connections).toBe(1);
  for (const mock of mocks) mock.mockRestore();
  await waitUntil("the event is there", async () => (await rig.store.events("vps1", 0, 10)).length === 1);
});

describe("two agents with one host's token", () => {
  test("the newer one wins, the older is told and stays away while the other is there", async () => {
    const { link: older, client } = await connected();
    const other = await ScriptedAgent.start();
    other.script["app.history"] = (_params, reply) => {
      reply.error("APP_UNKNOWN", "the newer one speaks");
    };
    try {
      const newer = rig.link(agentToken, other.path);
      await waitUntil("the older is told", () => older.notes.length === 1);
      expect(older.notes[0]).toContain("another agent with this host's token");
      await expect(history(client)).rejects.toMatchObject({ message: "the newer one speaks" });
      expect(newer.notes).toEqual([]);
    } finally {
      await other.remove();
    }
  });
});
