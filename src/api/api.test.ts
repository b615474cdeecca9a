import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { randomUUID } from "node:crypto";
import { get } from "node:http";
import { ApiRefusal, type ApiClient } from "../core/link/api-client.ts";
import { formatToken, parseToken, type TokenParts } from "../core/link/api-token.ts";
import { frames, maxBodyBytes, sessionAnswer } from "../core/link/link-protocol.ts";
import { waitUntil } from "../../test/lab/wait-until.ts";
import { ApiRig, hostEventNumber } from "../../test/rigs/api-link.ts";

let rig: ApiRig;
let agent: ApiClient;
let caller: ApiClient;
let agentToken: { id: string; text: string };
let callerToken: { id: string; text: string };

beforeEach(async () => {
  rig = await ApiRig.start();
  agentToken = await rig.token("agent", "vps1");
  callerToken = await rig.token("caller", "vps1", "vps3");
  [agent, caller] = [rig.client(agentToken.text), rig.client(callerToken.text)];
});

afterEach(() => rig.remove());

/** How the API refuses a request. */
async function refusal(asked: Promise<unknown>): Promise<{ status: number; code: string | undefined }> {
  const error = await asked.then(
    () => new Error("it was not refused"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ApiRefusal)) throw error;
  return { status: error.status, code: error.problem?.code };
}

const channels = { method: "POST", path: "/v1/hosts/vps1/channels" } as const;
const stream = "the-stream-of-events";

async function openSession(client: ApiClient, more: { yields?: boolean; instance?: string } = {}): Promise<string> {
  const body = { instance: randomUUID(), agentVersion: "0.0.0", stream, yields: false, ...more };
  return sessionAnswer.parse(await client.json({ method: "POST", path: "/v1/agent/sessions", body })).session;
}

async function poll(session: string, after = 0) {
  const path = `/v1/agent/sessions/${session}/calls?after=${after}`;
  return frames.parse(await agent.json({ method: "GET", path }));
}

/** An answer that goes on; its text so far. */
async function listenTo(token: string, path: string, headers: Record<string, string> = {}) {
  const heard = { text: "", type: "", ended: false };
  const request = get(
    new URL(path, rig.url),
    { headers: { authorization: `Bearer ${token}`, ...headers } },
    (answer) => {
      heard.type = String(answer.headers["content-type"]);
      answer.setEncoding("utf8").on("data", (text: string) => (heard.text += text));
      answer.on("close", () => (heard.ended = true));
    },
  ).on("error", () => undefined);
  await waitUntil("it answers", () => heard.type !== "");
  return { heard, stop: () => request.destroy() };
}

describe("whoever asks", () => {
  test.each<{ what: string; token: (given: TokenParts) => string }>([
    { what: "no token", token: () => "" },
    { what: "something else", token: () => "secret" },
    {
      what: "the id of a token and another secret",
      token: (given) => formatToken({ ...given, secret: "0".repeat(43) }),
    },
    { what: "a token that was never given", token: (given) => formatToken({ ...given, id: "0".repeat(10) }) },
    { what: "a token that says to be of another kind", token: (given) => formatToken({ ...given, kind: "agent" }) },
  ])("with $what is not let in", async ({ token }) => {
    const given = parseToken(callerToken.text);
    if (given === undefined) throw new Error("that was no token");
    expect(await refusal(rig.client(token(given)).json(channels))).toEqual({ status: 401, code: "API_AUTH" });
  });

  test("has a token for the other side, or for another host, is not let in", async () => {
    expect(await refusal(agent.json(channels))).toEqual({ status: 403, code: "API_AUTH" });
    expect(await refusal(openSession(caller))).toEqual({ status: 403, code: "API_AUTH" });
    const path = "/v1/hosts/vps2/channels";
    expect(await refusal(caller.json({ ...channels, path }))).toEqual({ status: 403, code: "API_AUTH" });
    expect(await refusal(caller.json({ ...channels, path: "/v1/hosts/vps3/channels" }))).toMatchObject({ status: 503 });
  });

  test("had a token that was taken back is not let in, and what it held open is ended", async () => {
    const session = await openSession(agent);
    const { heard } = await listenTo(callerToken.text, "/v1/hosts/vps1/events", { accept: "text/event-stream" });
    await rig.store.revokeToken(callerToken.id, Date.now());
    await rig.store.revokeToken(agentToken.id, Date.now());
    expect(await refusal(caller.json(channels))).toEqual({ status: 401, code: "API_AUTH" });
    expect(await refusal(poll(session))).toEqual({ status: 401, code: "API_AUTH" });
    await waitUntil("the open answer is ended", () => heard.ended, { deadlineMs: 15_000 });
  });

  test("is remembered by a hash alone, and by when it came", async () => {
    await refusal(caller.json(channels));
    const [, kept] = await rig.store.tokens();
    expect(kept).toMatchObject({ id: callerToken.id, kind: "caller", hosts: ["vps1", "vps3"], revokedMs: undefined });
    expect(kept?.usedMs).toBeGreaterThan(Date.now() - 5_000);
    expect(callerToken.text).not.toContain(kept?.hash ?? "?");
  });
});

describe("a request that is wrong", () => {
  test("is told so as a problem, without what was in it", async () => {
    const body = { instance: "short", agentVersion: "0.0.0", stream, yields: "s3cret" };
    const asked = agent.json({ method: "POST", path: "/v1/agent/sessions", body });
    const error: unknown = await asked.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 400, problem: { code: "BAD_REQUEST", title: "Bad request" } });
    expect(JSON.stringify((error as ApiRefusal).problem)).toContain("/yields");
    expect(JSON.stringify((error as ApiRefusal).problem)).not.toContain("s3cret");
  });

  test("is bounded, and there is nothing but what there is", async () => {
    const body = { number: 1, lines: ["x".repeat(maxBodyBytes)] };
    const path = `${channels.path}/${randomUUID()}`;
    expect(await refusal(caller.json({ method: "POST", path, body }))).toMatchObject({ status: 413 });
    expect(await refusal(caller.json({ method: "POST", path, body: { number: 1, lines: ["x"] } }))).toEqual({
      status: 410,
      code: "CHANNEL_GONE",
    });
    expect(await refusal(caller.json({ method: "GET", path: "/v1/nothing?token=secret" }))).toEqual({
      status: 404,
      code: "NOT_FOUND",
    });
  });

  test("is described: every route is in the API's OpenAPI", async () => {
    const document = (await caller.json({ method: "GET", path: "/v1/openapi.json" })) as { paths: object };
    expect(Object.keys(document.paths).sort()).toEqual([
      "/v1/agent/events",
      "/v1/agent/sessions",
      "/v1/agent/sessions/{session}/answers",
      "/v1/agent/sessions/{session}/calls",
      "/v1/health",
      "/v1/hosts/{host}/channels",
      "/v1/hosts/{host}/channels/{channel}",
      "/v1/hosts/{host}/events",
      "/v1/tokens",
      "/v1/tokens/{id}",
    ]);
  });
});

describe("an agent", () => {
  test("that another one replaced is told so, and comes back only when that is gone", async () => {
    const older = await openSession(agent);
    const waiting = refusal(poll(older));
    const newer = await openSession(agent);
    expect(await waiting).toEqual({ status: 409, code: "AGENT_SUPERSEDED" });
    expect(await refusal(poll(older))).toEqual({ status: 409, code: "AGENT_SUPERSEDED" });
    expect(await refusal(openSession(agent, { yields: true }))).toEqual({ status: 409, code: "AGENT_SUPERSEDED" });
    expect((await poll(newer)).frames).toEqual([]);
    await waitUntil("the newer is gone", () => openSession(agent, { yields: true }).catch(() => false as const));
  });

  test("that has missed answers, or asks with a session that is over, is to open a new one", async () => {
    expect(await refusal(poll(randomUUID()))).toEqual({ status: 410, code: "SESSION_GONE" });
    const session = await openSession(agent);
    const path = `/v1/agent/sessions/${session}/answers`;
    const body = { first: 2, frames: [{ channel: "c", line: "2" }] };
    expect(await refusal(agent.json({ method: "POST", path, body }))).toEqual({ status: 410, code: "SESSION_GONE" });
    expect(await refusal(poll(session))).toEqual({ status: 410, code: "SESSION_GONE" });
  });

  test("never gets what a caller asked who is gone, although it was on its way", async () => {
    const session = await openSession(agent);
    const channel = await rig.channels("vps1", callerToken.text).open();
    channel.write("start\n");
    const sent = await waitUntil("it is there", async () => {
      const next = await poll(session);
      return next.frames.length > 0 && next;
    });
    expect(sent.frames).toMatchObject([{ line: "start" }]);
    channel.destroy(); // before the agent has acknowledged anything
    const again = await waitUntil("only the end is there", async () => {
      const next = await poll(session);
      return next.frames.every((frame) => "closed" in frame) && next;
    });
    expect(again.frames.length).toBeGreaterThan(0);
  });
});

describe("events of a host", () => {
  const send = (first: number, ...numbers: number[]) =>
    agent.json({
      method: "POST",
      path: "/v1/agent/events",
      body: { stream, first, events: numbers.map(hostEventNumber) },
    });
  const messages = async (after = 0): Promise<string[]> =>
    (await rig.store.events("vps1", after, 100)).map(({ number, event }) => `${number} ${event.message}`);

  test("are kept once however often they come, and a gap is told", async () => {
    expect(await send(1, 1, 2)).toEqual({ received: 2 });
    expect(await send(1, 1, 2, 3)).toEqual({ received: 3 });
    expect(await send(2, 2)).toEqual({ received: 3 });
    expect(await messages()).toEqual(["1 step 1", "2 step 2", "3 step 3"]);
    expect(await send(6, 6)).toEqual({ received: 6 });
    expect(await messages(3)).toEqual([
      expect.stringMatching(/^4 2 events are missing/) as unknown as string,
      "5 step 6",
    ]);
  });

  test("are told to a caller of the host, as a list or as they come", async () => {
    await send(1, 1, 2);
    const list = await caller.json({ method: "GET", path: "/v1/hosts/vps1/events?after=1" });
    expect(list).toEqual({ events: [{ number: 2, event: hostEventNumber(2) }] });
    expect(await refusal(caller.json({ method: "GET", path: "/v1/hosts/vps2/events" }))).toMatchObject({ status: 403 });
    const headers = { accept: "text/event-stream", "last-event-id": "1" };
    const { heard, stop } = await listenTo(callerToken.text, "/v1/hosts/vps1/events", headers);
    expect(heard.type).toContain("text/event-stream");
    await waitUntil("the second is told", () => heard.text.includes("id: 2\nevent: step\n"));
    await send(3, 3);
    await waitUntil("the third is told", () => heard.text.includes("id: 3\n"), { deadlineMs: 8_000 });
    expect(heard.text).not.toContain("id: 1\n");
    stop();
  });
});
