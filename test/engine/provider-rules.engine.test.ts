import { afterEach, expect, test } from "@jest/globals";
import type * as pulumi from "@pulumi/pulumi";
import type { HostConfig } from "../../src/core/config/schema.ts";
import type { EngineEvent } from "../../src/core/engine/engine-event.ts";
import type { Program } from "../../src/core/engine/language-server.ts";
import { AgentClient } from "../../src/core/transport/agent-client.ts";
import type { HostAccess } from "../../src/provider/hosts/agent-access.ts";
import { FakeAgent, fakeHosts } from "../doubles/agent.ts";
import { ScriptedAgent } from "../doubles/scripted-agent.ts";
import { AnyResource, digestOf, hostAddress, IkomaHost, imageOf, releaseInputs, releaseProgram } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

const stacks: TestStack[] = [];
const accessories = "ikoma:vps:Accessories";
const release = "ikoma:vps:Release";
const database = { app: "shop", services: { db: { kind: "accessory", image: imageOf("2"), environment: {} } } };

afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.remove();
});

async function newStack(agents: Record<string, FakeAgent>, config?: string): Promise<TestStack> {
  const stack = await TestStack.create(agents, config);
  stacks.push(stack);
  return stack;
}

/** One resource of the app shop, under any name and on any host. */
function one(token: string, name: string, inputs: pulumi.Inputs, more: pulumi.CustomResourceOptions = {}): Program {
  return () => {
    new AnyResource(token, name, inputs, new IkomaHost("vps1", hostAddress), more);
    return Promise.resolve({});
  };
}

test("another key and port of two hosts plan no change, and the next operation goes the new way to each", async () => {
  const [first, second] = [new FakeAgent(), new FakeAgent()];
  const ways = (port: number, key: string): Record<string, HostConfig> => ({
    a: { address: "10.0.0.1", port, user: "root", hostKey: `ssh-ed25519 ${key}a` },
    b: { address: "10.0.0.2", port, user: "root", hostKey: `ssh-ed25519 ${key}b` },
  });
  const file = (hosts: Record<string, HostConfig>): string => `config:\n  ikoma:hosts: ${JSON.stringify(hosts)}\n`;
  const program =
    (hosts: Record<string, HostConfig>, version: string): Program =>
    () => {
      for (const [name, { address, ...way }] of Object.entries(hosts))
        new AnyResource(release, name, releaseInputs(version), new IkomaHost(name, address, way));
      return Promise.resolve({});
    };
  const [before, after] = [ways(22, "AAAA"), ways(2222, "BBBB")];
  const stack = await newStack({ "10.0.0.1": first, "10.0.0.2": second }, file(before));
  await stack.up(program(before, "v1"));

  await stack.changeConfig(() => file(after));
  const events: EngineEvent[] = [];
  const planned = await stack.preview(program(after, "v1"), { onEvent: (event) => events.push(event) });
  expect(planned.changes).toEqual({ create: 0, update: 0, delete: 0, same: 2 });
  // Not for the engine's own count either, which plain `pulumi preview --expect-no-changes` goes by.
  expect(events.filter(({ type }) => type === "summary")).toEqual([
    { type: "summary", changes: expect.not.objectContaining({ update: expect.anything() as unknown }) as unknown },
  ]);

  const dialled: HostConfig[] = [];
  await stack.up(program(after, "v2"), { access: fakeHosts(stack.agents, dialled) });
  expect(dialled).toEqual(expect.arrayContaining([after["a"], after["b"]]));
  expect(dialled.filter(({ port }) => port === 22)).toEqual([]);
  expect([first, second].map((agent) => agent.started.length)).toEqual([2, 2]);

  // An up that changes nothing else keeps the new way too: where only the state can tell, for a deletion, it is taken.
  const last = ways(2022, "CCCC");
  await stack.changeConfig(() => file(last));
  await stack.up(program(last, "v2"));
  dialled.length = 0;
  await stack.changeConfig(() => "config: {}\n");
  await stack.run("destroy", () => Promise.resolve({}), { access: fakeHosts(stack.agents, dialled) });
  expect(dialled.map(({ port }) => port)).toEqual([2022, 2022]);
});

test("v1, v2, v1, v2 are four operations, each on the generation that the one before made", async () => {
  const agent = new FakeAgent();
  const stack = await newStack({ [hostAddress]: agent });
  for (const version of ["v1", "v2", "v1", "v2"]) await stack.up(releaseProgram(version));
  expect(agent.started).toHaveLength(4);
  expect(new Set(agent.started.map(({ key }) => key)).size).toBe(4);
  expect(agent.part("shop", "release")?.generation).toBe(4);
});

test("somebody else's change between plan and update is not overwritten", async () => {
  const agent = new FakeAgent();
  const stack = await newStack({ [hostAddress]: agent });
  await stack.up(releaseProgram("v1"));
  const part = agent.part("shop", "release");
  const changesMeanwhile: Program = () => {
    // The program runs after the engine has read the resource.
    if (part !== undefined) part.generation += 1;
    return releaseProgram("v2")();
  };
  await expect(stack.up(changesMeanwhile)).rejects.toMatchObject({ code: "STALE_GENERATION" });
  expect(await stack.stateText()).not.toContain('"version":"v2"');
  await expect(stack.up(releaseProgram("v2"))).resolves.toMatchObject({ changes: { update: 1 } });
});

test("an operation whose acceptance was lost with the connection is repeated with its key: one operation", async () => {
  const scripted = await ScriptedAgent.start();
  const accepted: string[] = [];
  const view = { kind: "release.apply", app: "shop", phase: "stopping" } as const;
  scripted.script = {
    "part.read": (_params, reply) => {
      reply.result({ exists: accepted.length > 0, generation: accepted.length, drift: [], services: {} });
    },
    "operation.start": ({ key }, reply) => {
      const isNew = !accepted.includes(key);
      if (isNew) accepted.push(key);
      if (isNew) reply.cut();
      else reply.result({ ...view, key, state: "running" });
    },
    "operation.attach": ({ key }, reply) => {
      const result = { number: 1, digest: "d", unchanged: false, services: {} };
      reply.result({ ...view, key, state: "succeeded", generation: 1, result });
    },
  };
  try {
    const access: HostAccess = {
      ...fakeHosts({}),
      openAgent: () => Promise.resolve(new AgentClient(scripted.open)),
    };
    const stack = await newStack({});
    await stack.up(releaseProgram("v1"), { access });
    expect(accepted).toHaveLength(1);
    expect(scripted.calls("operation.start").map(({ connection }) => connection)).toEqual([1, 2]);
    await expect(stack.preview(releaseProgram("v1"), { access })).resolves.toMatchObject({ changes: { same: 1 } });
  } finally {
    await scripted.remove();
  }
});

test.each(["create", "update"])(
  "an answer to a %s that never came leaves one release, found by the next up",
  async (what) => {
    const agent = new FakeAgent();
    const stack = await newStack({ [hostAddress]: agent });
    if (what === "update") await stack.up(releaseProgram("v0"));
    const number = agent.part("shop", "release")?.number ?? 0;
    agent.losesNextAnswer = true;
    await expect(stack.up(releaseProgram("v1"))).rejects.toMatchObject({ code: "AGENT_CONNECTION_LOST" });
    await stack.up(releaseProgram("v1"));
    expect(agent.part("shop", "release")?.number).toBe(number + 1);
    await expect(stack.up(releaseProgram("v1"))).resolves.toMatchObject({ changes: { same: 1 } });
  },
);

test("offline, up and destroy are refused as a whole, even where nothing seems to differ", async () => {
  const agent = new FakeAgent();
  const stack = await newStack({ [hostAddress]: agent });
  await stack.up(releaseProgram("v1"));
  const [state, calls] = [await stack.stateText(), agent.calls.length];
  const env = { ...stack.env, IKOMA_OFFLINE: "1" };
  for (const operation of ["up", "destroy"] as const)
    await expect(stack.run(operation, releaseProgram("v1"), { env })).rejects.toMatchObject({ code: "AGENT_OFFLINE" });
  const planned = await stack.preview(releaseProgram("v1"), { env });
  expect(planned.plan).toMatchObject([{ operation: "same", drift: [], driftUnknown: true }]);
  expect((await stack.preview(releaseProgram("v1"))).plan).toEqual([
    expect.not.objectContaining({ driftUnknown: true }),
  ]);
  expect(await stack.stateText()).toBe(state);
  expect(agent.calls).toHaveLength(calls + 1);
});

test("what is not known yet leaves the rest of a plan as exact as ever; only reading asks the host", async () => {
  const agent = new FakeAgent();
  const stack = await newStack({ [hostAddress]: agent });
  const program =
    (mode: "known" | "unknown"): Program =>
    () => {
      const host = new IkomaHost("vps1", hostAddress);
      const staged = { app: "other", bundle: digestOf("c"), images: [imageOf("1")] };
      const made = mode === "known" ? undefined : new AnyResource("ikoma:vps:Bundle", "other", staged, host);
      new AnyResource(release, "shop", releaseInputs("v1", { MODE: made?.id ?? "a", LEVEL: mode }), host);
      return Promise.resolve({});
    };
  await stack.up(program("known"));
  agent.calls.length = 0;
  const { plan } = await stack.preview(program("unknown"));
  expect(plan.find(({ name }) => name === "shop")?.changes).toEqual([
    { path: "services.web.environment.LEVEL", kind: "update", old: "known", new: "unknown", replaces: false },
    expect.objectContaining({ path: "services.web.environment.MODE", kind: "update", old: "a" }),
  ]);
  expect([agent.calls, agent.started.length]).toEqual([["part.read"], 1]);
});

test("a resource that is renamed in the program is adopted under its new name, and the host keeps what it has", async () => {
  const agent = new FakeAgent();
  const stack = await newStack({ [hostAddress]: agent });
  for (const token of [release, accessories]) {
    const inputs = token === release ? releaseInputs("v1") : database;
    const part = token === release ? "release" : "accessories";
    await stack.up(one(token, "old", inputs));
    const renamed = await stack.up(one(token, "new", inputs));
    expect(renamed.plan.map(({ name, operation }) => [name, operation])).toEqual([
      ["new", "create"],
      ["old", "delete"],
    ]);
    expect(agent.part("shop", part)?.exists).toBe(true);
    await expect(stack.up(one(token, "new", inputs))).resolves.toMatchObject({ changes: { same: 1 } });

    const aliased = await stack.up(one(token, "newest", inputs, { aliases: [{ name: "new" }] }));
    expect(aliased.changes).toEqual({ create: 0, update: 0, delete: 0, same: 1 });
    await stack.destroy();
    expect(agent.part("shop", part)?.exists).toBe(false);
  }
  expect(agent.started.map(({ kind }) => kind)).toEqual([
    ...["release.apply", "release.apply", "release.remove"],
    ...["accessories.apply", "accessories.apply", "accessories.remove"],
  ]);
});

test("what is on a host that is named anew stays there, and so does what is replaced by itself", async () => {
  const agent = new FakeAgent();
  const stack = await newStack({ [hostAddress]: agent });
  const on =
    (host: string, address = hostAddress): Program =>
    () => {
      new AnyResource(release, "shop", releaseInputs("v1"), new IkomaHost(host, address));
      return Promise.resolve({});
    };
  await stack.up(on("vps1"));
  await expect(stack.up(on("paris"))).resolves.toMatchObject({ plan: [{ operation: "replace" }] });
  expect(agent.part("shop", "release")?.exists).toBe(true);
  await expect(stack.up(on("paris"))).resolves.toMatchObject({ changes: { same: 1 } });

  await stack.up(on("paris"), { env: { ...stack.env, PULUMI_OPTION_REPLACE: "**::shop" } });
  expect(agent.part("shop", "release")?.exists).toBe(true);
  await stack.destroy();
  expect(agent.started.map(({ kind }) => kind)).toEqual([
    ...["release.apply", "release.apply", "release.apply", "release.remove"],
  ]);
});

test("an agent whose resource is renamed stays installed", async () => {
  const agent = new FakeAgent();
  agent.installed = undefined;
  const stack = await newStack({ [hostAddress]: agent });
  const inputs = { version: "0.1.0", httpPort: 80, httpsPort: 443, networkPool: "10.210.0.0/16" };
  await stack.up(one("ikoma:vps:Agent", "old", inputs));
  await expect(stack.up(one("ikoma:vps:Agent", "new", inputs))).resolves.toMatchObject({ changes: { delete: 1 } });
  expect(agent.installed).toBeDefined();
  await stack.destroy();
  expect(agent.installed).toBeUndefined();
});

test("protected accessories are not deleted, renamed as an app or moved; unprotected they are stopped where they were", async () => {
  const [first, second] = [new FakeAgent(), new FakeAgent()];
  const stack = await newStack({ [hostAddress]: first, "10.0.0.2": second });
  const nothing: Program = () => Promise.resolve({});
  const elsewhere: Program = () => {
    new AnyResource(accessories, "shop", database, new IkomaHost("vps2", "10.0.0.2"));
    return Promise.resolve({});
  };
  await stack.up(one(accessories, "shop", database, { protect: true }));
  const protectedMove: Program = () => {
    new AnyResource(accessories, "shop", database, new IkomaHost("vps2", "10.0.0.2"), { protect: true });
    return Promise.resolve({});
  };
  const renamedApp = one(accessories, "shop", { ...database, app: "store" }, { protect: true });
  for (const program of [nothing, protectedMove, renamedApp])
    await expect(stack.up(program)).rejects.toMatchObject({
      code: "ENGINE_FAILED",
      hint: expect.stringMatching(/protectAccessories: false.*volumes stay.*begins with empty volumes/) as unknown,
    });
  expect([first.started.length, second.started.length]).toEqual([1, 0]);

  await stack.up(one(accessories, "shop", database, { protect: false }));
  await expect(stack.up(elsewhere)).resolves.toMatchObject({ plan: [{ operation: "replace" }] });
  expect(first.started.map(({ kind }) => kind)).toEqual(["accessories.apply", "accessories.remove"]);
  expect(second.part("shop", "accessories")?.exists).toBe(true);
});
