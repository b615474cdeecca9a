import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { OperationEvent } from "../../agent/protocol/wire.ts";
import { maxMessageBytes, protocolVersion } from "../../agent/protocol/wire.ts";
import { AgentClient, type OperationRequest } from "./agent-client.ts";
import { eventNumber, goodHandshake, ScriptedAgent, siteRemoval } from "../../../test/doubles/scripted-agent.ts";

const key = "operation-key-0001";
const succeeded = { state: "succeeded", result: {}, generation: 4 } as const;

let agent: ScriptedAgent;
let client: AgentClient;
beforeEach(async () => {
  agent = await ScriptedAgent.start();
  client = new AgentClient(agent.open, { holderLabel: "a test", reconnectMs: 2_000 });
});
afterEach(async () => {
  await client.close();
  await agent.remove();
});

/** Removes a site, collecting the numbers of the events that were told. */
function removeSite(more: Partial<OperationRequest<"site.remove">> = {}) {
  const told: number[] = [];
  const onEvent = (event: OperationEvent): void => {
    told.push(event.seq);
  };
  const done = client.runOperation("site.remove", {
    key,
    input: { app: "shop" },
    expectedGeneration: 3,
    onEvent,
    ...more,
  });
  return { told, done };
}

describe("the handshake", () => {
  test("comes first, and once for all requests of a connection", async () => {
    agent.script["app.history"] = (_params, reply) => {
      reply.result({ deployments: [] });
    };
    await Promise.all([client.call("app.history", { app: "shop" }), client.call("app.history", { app: "shop" })]);
    expect(agent.seen.map((each) => each.method)).toEqual(["handshake", "app.history", "app.history"]);
    expect(agent.seen[0]?.params).toEqual({ protocol: protocolVersion, client: "a test" });
  });

  test.each([
    { theirs: protocolVersion + 1, older: "this program is too old", hint: "Upgrade this program" },
    { theirs: protocolVersion - 1, older: "the agent is too old", hint: "ikoma host bootstrap" },
  ])(
    "with protocol $theirs on the other side says that $older, whatever else it has to say",
    async ({ theirs, older, hint }) => {
      agent.script.handshake = (_params, reply) => {
        reply.result({ protocol: theirs, somethingElse: true });
      };
      await expect(client.handshake()).rejects.toMatchObject({
        code: "AGENT_PROTOCOL",
        message: expect.stringContaining(older),
        hint: expect.stringContaining(hint),
      });
    },
  );

  test("is waited for while an agent that is starting drops its connections", async () => {
    agent.script.handshake = (_params, reply, { connection }) => {
      if (connection < 3) reply.cut();
      else reply.result(goodHandshake);
    };
    expect(await client.handshake()).toMatchObject({ agentVersion: "0.1.0" });
  });
});

describe("what comes over the wire", () => {
  test("an error keeps its code, hint and details; a code of another version becomes INTERNAL", async () => {
    agent.script["app.history"] = (_params, reply) => {
      reply.error("DEPLOY_IN_PROGRESS", "shop is being deployed");
    };
    await expect(client.call("app.history", { app: "shop" })).rejects.toMatchObject({
      code: "DEPLOY_IN_PROGRESS",
      message: "shop is being deployed",
      hint: "its hint",
      details: { from: "wire" },
    });
    agent.script["app.history"] = (_params, reply) => {
      reply.error("FROM_THE_FUTURE", "unheard of");
    };
    await expect(client.call("app.history", { app: "shop" })).rejects.toMatchObject({
      code: "INTERNAL",
      message: "unheard of",
      details: { code: "FROM_THE_FUTURE", from: "wire" },
    });
  });

  test("an answer of the wrong shape, and a request of one, are AGENT_PROTOCOL", async () => {
    agent.script["app.history"] = (_params, reply) => {
      reply.result({ deployments: [{ number: "one" }] });
    };
    await expect(client.call("app.history", { app: "shop" })).rejects.toMatchObject({ code: "AGENT_PROTOCOL" });
    const before = agent.calls("app.history").length;
    await expect(client.call("app.history", { app: "No Such Name" })).rejects.toMatchObject({ code: "AGENT_PROTOCOL" });
    expect(agent.calls("app.history")).toHaveLength(before);
  });

  test.each([
    { what: "garbage", bytes: "not json\n" },
    { what: "a line that never ends", bytes: "x".repeat(maxMessageBytes + 1) },
  ])("$what ends the connection, and the next request opens a new one", async ({ bytes }) => {
    agent.script["app.history"] = (_params, reply) => {
      reply.raw(bytes);
    };
    await expect(client.call("app.history", { app: "shop" })).rejects.toMatchObject({ code: "AGENT_CONNECTION_LOST" });
    agent.script["app.history"] = (_params, reply) => {
      reply.result({ deployments: [] });
    };
    expect(await client.call("app.history", { app: "shop" })).toEqual({ deployments: [] });
  });

  test("a request that is not answered in time is TIMEOUT", async () => {
    agent.script["app.history"] = () => undefined;
    await expect(client.call("app.history", { app: "shop" }, { timeoutMs: 50 })).rejects.toMatchObject({
      code: "TIMEOUT",
    });
  });

  test("a request over a connection that died meanwhile is asked again", async () => {
    agent.script["app.history"] = (_params, reply, { connection }) => {
      if (connection === 1) reply.cut();
      else reply.result({ deployments: [] });
    };
    expect(await client.call("app.history", { app: "shop" })).toEqual({ deployments: [] });
    expect(agent.connections).toBe(2);
  });
});

describe("an operation", () => {
  beforeEach(() => {
    agent.script["operation.start"] = (_params, reply) => {
      reply.result(siteRemoval(key));
    };
  });

  test("is started by this process, and tells its events and its result", async () => {
    agent.script["operation.attach"] = (_params, reply) => {
      for (const seq of [1, 2, 3]) reply.event(eventNumber(seq), key);
      reply.event(eventNumber(1), "another-operation");
      reply.result(siteRemoval(key, succeeded));
    };
    const { told, done } = removeSite();
    expect(await done).toEqual({ result: {}, generation: 4 });
    expect(told).toEqual([1, 2, 3]);
    expect(agent.calls("operation.start")[0]?.params).toMatchObject({
      key,
      kind: "site.remove",
      expectedGeneration: 3,
      holder: { label: "a test" },
    });
  });

  test("whose connection is lost again and again is attached to anew: no event is lost, none comes twice", async () => {
    agent.script["operation.attach"] = ({ after = 0 }, reply, { connection }) => {
      // Each connection tells two more, the last of them a second time, and dies.
      for (const seq of [after, after + 1, after + 2].filter((each) => each > 0)) reply.event(eventNumber(seq), key);
      if (connection < 4) reply.cut();
      else reply.result(siteRemoval(key, succeeded));
    };
    const { told, done } = removeSite();
    await done;
    expect(told).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(agent.calls("operation.start")).toHaveLength(1);
    expect(agent.calls("operation.attach").map((each) => each.params)).toEqual(
      [0, 2, 4, 6].map((after) => ({ key, after })),
    );
  });

  test("whose start was lost on the way is started again with the same key", async () => {
    agent.script["operation.start"] = (_params, reply, { connection }) => {
      if (connection === 1) reply.cut();
      else reply.result(siteRemoval(key));
    };
    agent.script["operation.attach"] = (_params, reply) => {
      reply.result(siteRemoval(key, succeeded));
    };
    await removeSite().done;
    const [first, second] = agent.calls("operation.start");
    expect(second?.params).toEqual(first?.params);
  });

  test("goes on while the agent is away for a while", async () => {
    agent.script["operation.attach"] = (_params, reply, { connection }) => {
      if (connection > 1) reply.result(siteRemoval(key, succeeded));
    };
    const { done } = removeSite();
    while (agent.calls("operation.attach").length === 0) await new Promise((resolve) => setImmediate(resolve));
    await agent.down();
    const back = new Promise((resolve) => setTimeout(resolve, 400)).then(() => agent.listen());
    expect(await done).toMatchObject({ generation: 4 });
    await back;
  });

  test("of an agent that stays away ends as AGENT_CONNECTION_LOST, not before its time", async () => {
    agent.script["operation.attach"] = () => undefined;
    const { done } = removeSite();
    const failed = expect(done).rejects.toMatchObject({
      code: "AGENT_CONNECTION_LOST",
      cause: { code: "HOST_UNREACHABLE" },
    });
    while (agent.calls("operation.attach").length === 0) await new Promise((resolve) => setImmediate(resolve));
    const startedMs = Date.now();
    await agent.down();
    await failed;
    expect(Date.now() - startedMs).toBeGreaterThan(1_000);
  });

  test("on a host that is not there to begin with fails at once, with its own error", async () => {
    await agent.down();
    let tries = 0;
    const open: typeof agent.open = () => {
      tries += 1;
      return agent.open();
    };
    const impatient = new AgentClient(open, { reconnectMs: 2_000 });
    const request = { key, input: { app: "shop" }, expectedGeneration: 3 };
    await expect(impatient.runOperation("site.remove", request)).rejects.toMatchObject({ code: "HOST_UNREACHABLE" });
    expect(tries).toBe(1);
    await impatient.close();
  });

  test("that failed on the host throws its error; one without a reason says so", async () => {
    agent.script["operation.attach"] = (_params, reply) => {
      reply.result(
        siteRemoval(key, {
          state: "failed",
          error: { code: "EDGE_FAILED", message: "no edge", hint: "h", details: {} },
        }),
      );
    };
    await expect(removeSite().done).rejects.toMatchObject({ code: "EDGE_FAILED", message: "no edge" });
    agent.script["operation.attach"] = (_params, reply) => {
      reply.result(siteRemoval(key, { state: "failed" }));
    };
    await expect(removeSite().done).rejects.toMatchObject({ code: "AGENT_PROTOCOL" });
  });

  test("refused before it began is not repeated", async () => {
    agent.script["operation.start"] = (_params, reply) => {
      reply.error("STALE_GENERATION", "changed meanwhile");
    };
    await expect(removeSite().done).rejects.toMatchObject({ code: "STALE_GENERATION" });
    expect(agent.calls("operation.start")).toHaveLength(1);
  });

  test("that a restarted agent is still ending is asked for until it has ended", async () => {
    let asked = 0;
    agent.script["operation.attach"] = (_params, reply) => {
      reply.result(siteRemoval(key, ++asked < 3 ? {} : succeeded));
    };
    await removeSite().done;
    expect(asked).toBe(3);
  });
});

describe("cancelling an operation", () => {
  const cancelled = {
    state: "cancelled",
    error: { code: "CANCELLED", message: "cancelled", hint: "h", details: {} },
  } as const;

  beforeEach(() => {
    agent.script["operation.start"] = (_params, reply) => {
      reply.result(siteRemoval(key));
    };
  });

  test("asks the agent and waits for its end", async () => {
    const controller = new AbortController();
    agent.script["operation.attach"] = (_params, reply) => {
      agent.script["operation.cancel"] = (_cancel, cancelReply) => {
        cancelReply.result({});
        reply.result(siteRemoval(key, cancelled));
      };
      controller.abort();
    };
    await expect(removeSite({ signal: controller.signal }).done).rejects.toMatchObject({ code: "CANCELLED" });
    expect(agent.calls("operation.cancel")).toHaveLength(1);
  });

  test("while the host is still waited for: nothing is begun when it comes", async () => {
    const controller = new AbortController();
    const open: typeof agent.open = () => {
      controller.abort();
      return agent.open();
    };
    const waiting = new AgentClient(open);
    const request = { key, input: { app: "shop" }, expectedGeneration: 3, signal: controller.signal };
    await expect(waiting.runOperation("site.remove", request)).rejects.toMatchObject({ code: "CANCELLED" });
    expect(agent.calls("operation.start")).toEqual([]);
    await waiting.close();
  });

  test("is repeated after a reconnect: the request may have been lost", async () => {
    const controller = new AbortController();
    agent.script["operation.attach"] = (_params, reply, { connection }) => {
      if (connection > 1) {
        reply.result(
          siteRemoval(key, agent.calls("operation.cancel").some((each) => each.connection > 1) ? cancelled : succeeded),
        );
        return;
      }
      reply.cut();
      controller.abort();
    };
    agent.script["operation.cancel"] = (_params, reply, { connection }) => {
      if (connection > 1) reply.result({});
    };
    const { done } = removeSite({ signal: controller.signal });
    await expect(done).rejects.toMatchObject({ code: "CANCELLED" });
  });

  test("over a connection that is dead, and does not say so, is repeated over another", async () => {
    const controller = new AbortController();
    const hasty = new AgentClient(agent.open, { cancelMs: 100 });
    agent.script["operation.cancel"] = (_params, reply, { connection }) => {
      if (connection > 1) reply.result({});
    };
    agent.script["operation.attach"] = (_params, reply, { connection }) => {
      if (connection > 1) reply.result(siteRemoval(key, cancelled));
      else controller.abort();
    };
    const request = { key, input: { app: "shop" }, expectedGeneration: 3, signal: controller.signal };
    await expect(hasty.runOperation("site.remove", request)).rejects.toMatchObject({ code: "CANCELLED" });
    expect(agent.calls("operation.cancel").map(({ connection }) => connection)).toEqual([1, 2]);
    await hasty.close();
  });

  test("before it began sends nothing", async () => {
    await expect(removeSite({ signal: AbortSignal.abort() }).done).rejects.toMatchObject({ code: "CANCELLED" });
    expect(agent.seen).toEqual([]);
  });
});
