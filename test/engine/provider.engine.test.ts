import { afterEach, expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { IkomaError } from "../../src/core/errors.ts";
import type { ReadReport } from "../../src/core/engine/engine-run.ts";
import { FakeAgent } from "../doubles/agent.ts";
import type { Program } from "../../src/core/engine/language-server.ts";
import type { EngineEvent } from "../../src/core/engine/engine-event.ts";
import {
  AnyResource,
  hostAddress,
  hostProgram,
  IkomaHost,
  imageOf,
  releaseInputs,
  releaseProgram,
} from "./programs.ts";
import { TestStack } from "./test-stack.ts";

const stacks: TestStack[] = [];

afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.remove();
});

async function newStack(agents: Record<string, FakeAgent>, config?: string): Promise<TestStack> {
  const stack = await TestStack.create(agents, config);
  stacks.push(stack);
  return stack;
}

/** The release on one host or another, and a provider for each. */
function onHost(chosen: "a" | "b", addresses = { a: "10.0.0.1", b: "10.0.0.2" }): Program {
  return () => {
    const hosts = { a: new IkomaHost("a", addresses.a), b: new IkomaHost("b", addresses.b) };
    new AnyResource("ikoma:vps:Release", "shop", releaseInputs("v1"), hosts[chosen]);
    return Promise.resolve({});
  };
}

test("two hosts of one program are told apart", async () => {
  const [first, second] = [new FakeAgent(), new FakeAgent()];
  const stack = await newStack({ "10.0.0.1": first, "10.0.0.2": second });
  const program: Program = () => {
    for (const [name, address, version] of [
      ["a", "10.0.0.1", "v1"],
      ["b", "10.0.0.2", "v2"],
    ] as const) {
      new AnyResource("ikoma:vps:Release", `shop-${name}`, releaseInputs(version), new IkomaHost(name, address));
    }
    return Promise.resolve({});
  };
  for (const label of ["created", "left alone"]) {
    await stack.up(program);
    expect([label, first.part("shop", "release")?.input]).toMatchObject([label, { spec: { version: "v1" } }]);
    expect([label, second.part("shop", "release")?.input]).toMatchObject([label, { spec: { version: "v2" } }]);
  }
  expect([first.started.length, second.started.length]).toEqual([1, 1]);
});

test("another address, port or key of the same host changes no resource; another host is a replacement", async () => {
  const [first, second] = [new FakeAgent(), new FakeAgent()];
  const stack = await newStack({ "10.0.0.1": first, "10.0.0.2": second });
  await stack.up(onHost("a"));

  stack.agents["10.0.0.9"] = first;
  const rotated = await stack.up(onHost("a", { a: "10.0.0.9", b: "10.0.0.2" }));
  expect(rotated.changes).toEqual({ create: 0, update: 0, delete: 0, same: 1 });

  const moved = await stack.up(onHost("b", { a: "10.0.0.9", b: "10.0.0.2" }));
  expect(moved.plan).toMatchObject([{ operation: "replace" }]);
  expect(second.part("shop", "release")?.exists).toBe(true);
  expect(first.part("shop", "release")?.exists).toBe(false);
});

test("a host that has moved is reached at its new address, although the state has the old one", async () => {
  const agent = new FakeAgent();
  const hosts = (address: string): string =>
    `config:\n  ikoma:hosts:\n    vps1: { address: ${address}, hostKey: ssh-ed25519 AAAA }\n`;
  const stack = await newStack({ "10.0.0.1": agent }, hosts("10.0.0.1"));
  await stack.up(releaseProgram("v1"));

  delete stack.agents["10.0.0.1"];
  stack.agents["10.0.0.2"] = agent;
  await expect(stack.up(releaseProgram("v1"))).rejects.toMatchObject({ code: "HOST_UNREACHABLE" });
  await stack.changeConfig((text) => text.replace("10.0.0.1", "10.0.0.2"));
  const program = (): Promise<Record<string, unknown>> => {
    new AnyResource("ikoma:vps:Release", "shop", releaseInputs("v1"), new IkomaHost("vps1", "10.0.0.2"));
    return Promise.resolve({});
  };
  await expect(stack.up(program)).resolves.toMatchObject({ changes: { same: 1 } });
});

test("offline, a plan says that drift is unknown, and a change is refused", async () => {
  const agent = new FakeAgent();
  const stack = await newStack({ [hostAddress]: agent });
  await stack.up(releaseProgram("v1"));
  const offline =
    (version: string): Program =>
    () => {
      new AnyResource(
        "ikoma:vps:Release",
        "shop",
        releaseInputs(version),
        new IkomaHost("vps1", hostAddress, { offline: true }),
      );
      return Promise.resolve({});
    };
  const calls = agent.calls.length;
  await expect(stack.up(offline("v2"))).rejects.toMatchObject({ code: "AGENT_OFFLINE" });
  const atHost = agent.calls.length;
  expect(atHost).toBe(calls + 1);

  // The state has the online provider; it is told apart by the file once the provider is offline there too.
  const events: EngineEvent[] = [];
  await stack.up(offline("v1"));
  const planned = await stack.preview(offline("v2"), { onEvent: (event) => events.push(event) });
  expect(planned.plan).toMatchObject([{ operation: "update", changes: [{ path: "version" }] }]);
  expect(events).toContainEqual(
    expect.objectContaining({ type: "diagnostic", message: expect.stringContaining("drift unknown") as unknown }),
  );
});

test("secrets are shown as changed and never in clear: not in plan, events, errors or state", async () => {
  const agent = new FakeAgent();
  const stack = await newStack({ [hostAddress]: agent });
  const seen: string[] = [];
  const watch = { onEvent: (event: EngineEvent) => seen.push(JSON.stringify(event)) };
  const program = (password: string): Program =>
    hostProgram(
      "ikoma:vps:Release",
      releaseInputs("v1", {
        PASSWORD: pulumi.secret(password),
        URL: pulumi.secret(`postgres://app:${password}@db/shop`),
      }),
    );

  await stack.up(program("hunter2-first"), watch);
  expect(agent.started[0]?.input).toMatchObject({
    spec: { services: { web: { environment: { PASSWORD: "hunter2-first" } } } },
    redact: ["hunter2-first", "postgres://app:hunter2-first@db/shop"],
  });
  const planned = await stack.preview(program("hunter2-second"), watch);
  expect(planned.plan).toMatchObject([
    {
      changes: [
        { path: "services.web.environment.PASSWORD", old: "[secret]", new: "[secret]" },
        { path: "services.web.environment.URL" },
      ],
    },
  ]);
  agent.failNext("release.apply", new IkomaError("RELEASE_CRASHED", "exit code 1"));
  const error: unknown = await stack.up(program("hunter2-second"), watch).catch((each: unknown) => each);
  expect(error).toMatchObject({ code: "RELEASE_CRASHED" });
  await stack.up(program("hunter2-second"), watch);
  agent.part("shop", "release")?.drift.push({ path: "services.web.environment.PASSWORD", message: "changed by hand" });
  const drifted = await stack.preview(program("hunter2-second"), watch);
  expect(drifted.changes.update).toBe(1);

  for (const text of [...seen, JSON.stringify([planned, drifted]), String(error), await stack.allState()])
    expect(text).not.toContain("hunter2");
});

test("what becomes a secret with the same value is one in the state after the next run, and in drift at once", async () => {
  const agent = new FakeAgent();
  const stack = await newStack({ [hostAddress]: agent });
  const program = (password: pulumi.Input<string>): Program =>
    hostProgram("ikoma:vps:Release", releaseInputs("v1", { PASSWORD: password }));
  await stack.up(program("hunter2"));
  await stack.up(program(pulumi.secret("hunter2")));
  const found = { path: "services.web.command", message: "it is another one", found: "serve --password hunter2" };
  agent.part("shop", "release")?.drift.push(found);
  const reads: ReadReport[] = [];
  const drifted = await stack.run("drift", program("unused"), { onRead: (read) => reads.push(read) });
  expect(JSON.stringify([reads, drifted])).not.toContain("hunter2");
  await stack.up(program(pulumi.secret("hunter2")));
  expect(await stack.stateText()).not.toContain("hunter2");
});

test("a part that the host says is half done is recorded, and the next up updates it", async () => {
  const agent = new FakeAgent();
  const stack = await newStack({ [hostAddress]: agent });
  const program = hostProgram("ikoma:vps:Accessories", {
    app: "shop",
    services: { db: { kind: "accessory", image: imageOf("1"), environment: {} } },
  });
  agent.failNext(
    "accessories.apply",
    new IkomaError("ACCESSORY_FAILED", "db did not start", { details: { partial: true } }),
  );
  await expect(stack.up(program)).rejects.toMatchObject({ code: "ACCESSORY_FAILED" });
  expect(await stack.stateText()).toContain("ikoma:vps:Accessories");
  Object.assign(agent.part("shop", "accessories") ?? {}, {
    exists: true,
    drift: [{ path: "services.db", message: "it does not run" }],
  });
  await expect(stack.up(program)).resolves.toMatchObject({ changes: { update: 1 } });
});

test("the agent is installed, noticed when it is another version, and not taken away from apps", async () => {
  const agent = new FakeAgent();
  agent.installed = undefined;
  const stack = await newStack({ [hostAddress]: agent });
  const program = hostProgram("ikoma:vps:Agent", {
    version: "0.1.0",
    httpPort: 8080,
    httpsPort: 8443,
    networkPool: "10.210.0.0/16",
    imageBudgetGb: 10,
  });
  await stack.up(program);
  expect(agent.installed).toMatchObject({ httpPort: 8080 });
  await expect(stack.up(program)).resolves.toMatchObject({ changes: { same: 1 } });

  agent.version = "0.0.9";
  await expect(stack.preview(program)).resolves.toMatchObject({
    plan: [{ operation: "update", drift: ["version: the host runs agent 0.0.9"] }],
  });
  agent.version = "0.1.0";
  agent.parts.set("shop/release", { exists: true, generation: 1, drift: [], input: undefined });
  await expect(stack.destroy()).rejects.toMatchObject({ message: expect.stringContaining("shop") as unknown });
  agent.parts.clear();
  await stack.destroy();
  expect(agent.installed).toBeUndefined();
});

test("a program's own error keeps its code", async () => {
  const stack = await newStack({});
  const program: Program = () => Promise.reject(new IkomaError("CONFIG_MISSING", "DATABASE_URL has no value"));
  await expect(stack.preview(program)).rejects.toMatchObject({
    code: "CONFIG_MISSING",
    message: "DATABASE_URL has no value",
  });
});

test("another passphrase and a missing pulumi are named as such", async () => {
  const stack = await newStack({ [hostAddress]: new FakeAgent() });
  await stack.up(hostProgram("ikoma:vps:Release", releaseInputs("v1", { A: pulumi.secret("x") })));
  await expect(
    stack.up(releaseProgram("v1"), { env: { ...stack.env, PULUMI_CONFIG_PASSPHRASE: "wrong" } }),
  ).rejects.toMatchObject({ code: "PASSPHRASE_MISSING" });
  await expect(stack.up(releaseProgram("v1"), { env: { ...stack.env, PATH: "/nowhere" } })).rejects.toMatchObject({
    code: "ENGINE_MISSING",
  });
});
