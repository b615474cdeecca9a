import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ScriptedAgent } from "../../../test/doubles/scripted-agent.ts";
import { openHostAgent, wayLabel } from "./host-agent.ts";
import { openShell } from "./host-shell.ts";

const api = { name: "vps1", way: { api: "https://bridge.example" } };

test("a host is named by the way to it", () => {
  expect(wayLabel({ address: "192.0.2.7", port: 2222, user: "root", hostKey: "k" })).toBe("root@192.0.2.7:2222");
  expect(wayLabel(api.way)).toBe("https://bridge.example");
  expect(wayLabel({ socket: "/run/agent.sock" })).toBe("/run/agent.sock");
});

describe("the agent of this machine", () => {
  let agent: ScriptedAgent;
  beforeEach(async () => (agent = await ScriptedAgent.start()));
  afterEach(() => agent.remove());

  test("is reached by its socket", async () => {
    const client = await openHostAgent({ name: "here", way: { socket: agent.path } });
    expect(await client.handshake()).toMatchObject({ agentVersion: "0.1.0" });
    await client.close();
  });

  test("is waited for while it starts", async () => {
    await agent.down();
    const client = await openHostAgent({ name: "here", way: { socket: agent.path } });
    const answer = client.handshake();
    // By then it has tried once.
    await nextTurn();
    await agent.listen();
    expect(await answer).toMatchObject({ agentVersion: "0.1.0" });
    await client.close();
  });

  test("that does not run is told", async () => {
    await agent.down();
    const client = await openHostAgent({ name: "here", way: { socket: agent.path } });
    await expect(client.handshake()).rejects.toMatchObject({ code: "AGENT_MISSING" });
  });
});

describe("what is run on a host", () => {
  test("cannot be run on one that is only reached through the API", async () => {
    await expect(openShell(api, "the bootstrap of")).rejects.toMatchObject({
      code: "HOST_SHELL_NEEDED",
      message:
        "Commands have to be run on the server for the bootstrap of vps1, which is only reached through https://bridge.example.",
    });
  });

  test("is run in a shell where the host is this machine", async () => {
    const shell = await openShell({ name: "here", way: { socket: "/run/agent.sock" } }, "the bootstrap of");
    expect(await shell.exec("cat; echo two >&2; exit 3", { input: "one" })).toEqual({
      code: 3,
      stdout: "one",
      stderr: "two\n",
    });
    expect(await shell.exec("exit 0", { input: Readable.from(["x".repeat(100_000)]) })).toMatchObject({ code: 0 });
    await expect(shell.exec("sleep 60", { timeoutMs: 50 })).rejects.toMatchObject({ code: "TIMEOUT" });
  });
});
