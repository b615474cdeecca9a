import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { once } from "node:events";
import { statSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import type * as z from "zod";
import { TestHost } from "../../test/doubles/host/host.ts";
import { aHolder, aRelease, aRequest } from "../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../test/lab/wait-until.ts";
import { readLines } from "./line-reader.ts";
import { OperationRunner } from "./operations/operation-runner.ts";
import { methods } from "./protocol/methods.ts";
import { handshakeResult } from "./protocol/views.ts";
import { maxMessageBytes, protocolVersion, rpcMessage } from "./protocol/wire.ts";
import type { Method, Params } from "./protocol/methods.ts";
import { serve } from "./rpc-server.ts";

type RpcMessage = z.infer<typeof rpcMessage>;

let on: TestHost;
let runner: OperationRunner;
let server: Server;
const clients: Client[] = [];

beforeEach(async () => {
  on = await TestHost.create();
  runner = new OperationRunner(on.host);
  server = serve(on.host, runner, Promise.resolve());
  await once(server, "listening");
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  server.close();
  await once(server, "close");
  await on.dispose();
});

/** The other side, as simple as can be. */
class Client {
  readonly socket: Socket;
  readonly messages: RpcMessage[] = [];
  #lastId = 0;

  constructor() {
    this.socket = connect(on.host.paths.socket);
    this.socket.on("error", () => undefined);
    readLines(this.socket, maxMessageBytes, (line) => this.messages.push(rpcMessage.parse(JSON.parse(line))));
    clients.push(this);
  }

  async raw(line: string, id = 0): Promise<RpcMessage> {
    this.socket.write(`${line}\n`);
    return waitUntil(`an answer to ${id}`, () => this.messages.find((each) => "id" in each && each.id === id));
  }

  async call<M extends Method>(method: M, params: Params<M>): Promise<z.infer<(typeof methods)[M]["result"]>> {
    this.#lastId += 1;
    const answer = await this.raw(JSON.stringify({ jsonrpc: "2.0", id: this.#lastId, method, params }), this.#lastId);
    if (!("result" in answer)) throw new Error(JSON.stringify(answer));
    return methods[method].result.parse(answer.result) as z.infer<(typeof methods)[M]["result"]>;
  }
}

describe("the socket", () => {
  test("is for its owner and group alone", () => {
    expect(statSync(on.host.paths.socket).mode & 0o777).toBe(0o660);
  });

  test("may be left over from an agent that was killed", async () => {
    server.close();
    await once(server, "close");
    await writeFile(on.host.paths.socket, "");
    server = serve(on.host, runner, Promise.resolve());
    await once(server, "listening");
    expect((await new Client().call("app.status", {})).apps).toEqual([]);
  });
});

/** Serves anew, as an agent that has just been started: what it answers waits. */
async function serveUnready(): Promise<PromiseWithResolvers<undefined>> {
  server.close();
  await once(server, "close");
  const ready = Promise.withResolvers<undefined>();
  server = serve(on.host, runner, ready.promise);
  await once(server, "listening");
  return ready;
}

describe("a request", () => {
  test("gets what its method promises", async () => {
    const client = new Client();
    const said = handshakeResult.parse(await client.call("handshake", { protocol: protocolVersion, client: "test" }));
    expect(said).toMatchObject({
      protocol: protocolVersion,
      engineVersion: "20.10.24",
      composeVersion: "2.40.0",
      edgeVersion: "2.6.12",
    });
    expect(said.phases).toContain("switched");
    expect(await client.call("part.read", { app: "shop", part: "release", expected: null })).toMatchObject({
      exists: false,
      generation: 0,
    });
    expect(await client.call("app.history", { app: "shop" })).toEqual({ deployments: [] });
  });

  test.each([
    ["no JSON", "password=hunter22", 0],
    ["no request", '{"jsonrpc":"2.0","id":"hunter22"}', 0],
    ["of an unknown method", '{"jsonrpc":"2.0","id":7,"method":"host.explode","params":{}}', 7],
    ["named like a property of every object", '{"jsonrpc":"2.0","id":7,"method":"constructor","params":{}}', 7],
    ["with a field too many", '{"jsonrpc":"2.0","id":7,"method":"app.status","params":{"secret":"hunter22"}}', 7],
    [
      "with an input that its kind does not have",
      '{"jsonrpc":"2.0","id":7,"method":"operation.start","params":{"key":"0123456789abcdef","kind":"bundle.remove","input":{"app":"No!"},"expectedGeneration":null,"holder":{"id":"12345678","label":"x"}}}',
      7,
    ],
  ])("that is %s is refused without quoting it, and the connection lives on", async (_name, line, id) => {
    const client = new Client();
    const answer = await client.raw(line, id);
    expect(answer).toMatchObject({ error: { data: { code: "AGENT_PROTOCOL" } } });
    expect(JSON.stringify(answer)).not.toContain("hunter22");
    expect((await client.call("app.status", {})).apps).toEqual([]);
  });

  test("longer than any may be ends the connection, and no other", async () => {
    const [greedy, modest] = [new Client(), new Client()];
    const closed = once(greedy.socket, "close");
    greedy.socket.write("x".repeat(maxMessageBytes + 2));
    await closed;
    expect((await modest.call("app.status", {})).apps).toEqual([]);
  });

  test("may hold what some take for the end of a line", async () => {
    const client = new Client();
    const answer = await client.raw(
      JSON.stringify({ jsonrpc: "2.0", id: 3, method: "host\u2028.name", params: {} }),
      3,
    );
    expect(answer).toMatchObject({ error: { message: "This agent knows no request host\u2028.name." } });
  });

  test("waits until the agent is ready", async () => {
    const started = await serveUnready();
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const answer = new Client().call("app.history", { app: "shop" });
    const [socket] = await accepted;
    await waitUntil("the request has come", () => socket.bytesRead > 0);
    // What is done between the request and the readiness is in the answer.
    on.host.deployments.begin(aRelease(on, "v1"), "a digest", "anna@laptop");
    started.resolve(undefined);
    expect((await answer).deployments).toMatchObject([{ number: 1 }]);
  });
});

describe("a successor that asks for its turn", () => {
  test("is told what is under way, and gets it when that has ended", async () => {
    const hold = join(on.host.paths.hold, "gating");
    await writeFile(hold, "");
    const [caller, successor] = [new Client(), new Client()];
    const request = aRequest("release.apply", aRelease(on, "v1"), { holder: aHolder("anna@laptop") });
    await caller.call("operation.start", request);
    await expect(successor.call("agent.yield", {})).rejects.toThrow(/release.apply of shop by anna@laptop/);
    await rm(hold);
    await caller.call("operation.attach", { key: request.key });
    expect(await successor.call("agent.yield", {})).toEqual({});
  });

  test("does not get it in the middle of a deploy, between two of its operations", async () => {
    const [anna, successor] = [new Client(), new Client()];
    const first = aRequest("bundle.remove", { app: "shop" }, { holder: aHolder("anna@laptop") });
    await anna.call("operation.start", first);
    await anna.call("operation.attach", { key: first.key });
    await expect(successor.call("agent.yield", {})).rejects.toThrow("shop is being deployed by anna@laptop");
  });

  test("has it until its connection ends: what would change the host waits, the rest does not", async () => {
    const [caller, successor] = [new Client(), new Client()];
    await successor.call("agent.yield", {});
    const request = aRequest("release.apply", aRelease(on, "v1"));
    const started = caller.call("operation.start", request);
    expect((await caller.call("app.status", {})).apps).toEqual([]);
    expect(on.host.journal.running()).toEqual([]);
    successor.socket.destroy();
    expect(await started).toMatchObject({ state: "running" });
    expect(await caller.call("operation.attach", { key: request.key })).toMatchObject({ state: "succeeded" });
  });
});

describe("an operation whose caller goes before it could begin", () => {
  /** Sends it and goes. */
  async function askAndLeave(key: string): Promise<void> {
    const before = await connections();
    const caller = new Client();
    const params = aRequest("bundle.remove", { app: "shop" }, { key });
    caller.socket.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "operation.start", params })}\n`);
    await waitUntil("the agent has seen it come", async () => (await connections()) > before);
    caller.socket.end();
    await waitUntil("the agent has seen it go", async () => (await connections()) === before);
  }

  const connections = () =>
    new Promise<number>((resolve, reject) => {
      server.getConnections((error, count) => {
        if (error === null) resolve(count);
        else reject(error);
      });
    });

  test("does not begin when a successor gives its turn back", async () => {
    const [successor, other] = [new Client(), new Client()];
    await successor.call("agent.yield", {});
    await askAndLeave("0123456789abcdef");
    successor.socket.destroy();
    await other.call("operation.start", aRequest("bundle.remove", { app: "other" }));
    expect(on.host.journal.find("0123456789abcdef")).toBeUndefined();
    expect(runner.leases.held().map(({ app }) => app)).toEqual(["other"]);
  });

  test("does not begin when the agent is ready", async () => {
    const ready = await serveUnready();
    await askAndLeave("0123456789abcdef");
    ready.resolve(undefined);
    await new Client().call("app.status", {});
    expect(on.host.journal.find("0123456789abcdef")).toBeUndefined();
    expect(runner.leases.held()).toEqual([]);
  });
});

describe("an operation", () => {
  test("tells its events to whoever attaches, and its end", async () => {
    const client = new Client();
    const { key, ...request } = aRequest("release.apply", aRelease(on, "v1"));
    expect(await client.call("operation.start", { key, ...request })).toMatchObject({ key, state: "running" });
    const ended = await client.call("operation.attach", { key });
    expect(ended).toMatchObject({ key, state: "succeeded", result: { number: 1 } });
    const told = client.messages.flatMap((each) => ("method" in each ? [each.params.event.seq] : []));
    expect(told).toEqual(told.map((_each, index) => index + 1));
    const second = new Client();
    await second.call("operation.attach", { key, after: 2 });
    expect(second.messages.flatMap((each) => ("method" in each ? [each.params.event.seq] : []))[0]).toBe(3);
    expect(await client.call("app.deployment", { app: "shop", number: 1 })).toMatchObject({
      deployment: { status: "current" },
      source: { bundle: "v1" },
    });
    expect((await client.call("app.status", {})).apps).toMatchObject([
      { app: "shop", current: { number: 1 }, services: { web: { state: "running" } } },
    ]);
  });

  test("is known by its caller's key to the caller alone, for secrets may be guessed from that", async () => {
    const client = new Client();
    const request = aRequest("bundle.remove", { app: "shop" });
    const started = await client.call("operation.start", request);
    await client.call("operation.attach", { key: request.key });
    expect(await client.call("operation.start", request)).toMatchObject({ ...started, state: "succeeded" });
    expect(on.host.journal.find(request.key)).toBeUndefined();
    expect(on.logged.join("\n")).not.toContain(request.key);
  });

  test("goes on when its caller goes, and the caller may come back for it", async () => {
    const hold = join(on.host.paths.hold, "gating");
    await writeFile(hold, "");
    const first = new Client();
    const request = aRequest("release.apply", aRelease(on, "v1"));
    await first.call("operation.start", request);
    first.socket.destroy();
    const second = new Client();
    const ended = second.call("operation.attach", { key: request.key });
    await rm(hold);
    expect(await ended).toMatchObject({ state: "succeeded" });
  });

  test("can be cancelled over another connection", async () => {
    await writeFile(join(on.host.paths.hold, "gating"), "");
    const [caller, other] = [new Client(), new Client()];
    const request = aRequest("release.apply", aRelease(on, "v1"));
    await caller.call("operation.start", request);
    const ended = caller.call("operation.attach", { key: request.key });
    await other.call("operation.cancel", { key: request.key });
    expect(await ended).toMatchObject({ state: "cancelled" });
  });

  test("leaves the app to its holder until the connection closes", async () => {
    const [anna, ben] = [new Client(), new Client()];
    const bens = aRequest("bundle.remove", { app: "shop" }, { holder: aHolder("ben@ci") });
    const annas = aRequest("bundle.remove", { app: "shop" }, { holder: aHolder("anna@laptop") });
    await anna.call("operation.start", annas);
    await anna.call("operation.attach", { key: annas.key });
    await expect(ben.call("operation.start", bens)).rejects.toThrow("DEPLOY_IN_PROGRESS");
    anna.socket.destroy();
    await waitUntil("the app is free", async () =>
      ben.call("operation.start", bens).then(
        () => true,
        () => false,
      ),
    );
  });

  test("that nobody knows, or a deployment that is not kept, is said to be so", async () => {
    const client = new Client();
    await expect(client.call("operation.attach", { key: "no-such-key" })).rejects.toThrow("AGENT_PROTOCOL");
    await expect(client.call("app.deployment", { app: "shop", number: 9 })).rejects.toThrow("NO_ROLLBACK_TARGET");
  });
});
