import { expect, test } from "@jest/globals";
import { AgentSession } from "./agent-session.ts";

test("a channel that the agent has ended is not opened again by what was on its way there", async () => {
  const session = new AgentSession("an-instance", { holdMs: 10, graceMs: 1_000 });
  const ended: string[] = [];
  const channel =
    session.openChannel("a caller", { line: () => undefined, closed: () => ended.push("told to the caller") }) ?? "";
  session.send(channel, "a caller", 1, ["handshake"]);
  const { signal } = new AbortController();
  expect((await session.poll(0, signal)).frames).toEqual([{ channel, line: "handshake" }]);
  session.send(channel, "a caller", 2, ["start"]);
  session.accept({ first: 1, frames: [{ channel, closed: true }] });
  expect(ended).toHaveLength(1);
  expect(await session.poll(1, signal)).toEqual({ first: 2, frames: [{ channel, closed: true }] });
  session.end("closing");
});
