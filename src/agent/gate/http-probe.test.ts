import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeAnswer, isAccepted, probe } from "./http-probe.ts";

const folder = mkdtempSync(join(tmpdir(), "ikoma-probe-"));
const socketPath = join(folder, "edge.sock");
const seen: IncomingMessage[] = [];
const servers: Server[] = [];
let target: { address: string; port: number };

beforeAll(async () => {
  for (const where of [0, socketPath]) {
    const server = createServer((request, response) => {
      seen.push(request);
      if (request.url === "/silent") return;
      if (request.url === "/cut") response.write("half", () => response.destroy());
      else if (request.url === "/endless") response.write("data: 1\n\n");
      else if (request.url === "/huge") response.end("x".repeat(1024 * 1024));
      else if (request.url === "/reset") request.socket.resetAndDestroy();
      else if (request.url === "/moved") response.writeHead(302, { location: "/elsewhere" }).end();
      else response.writeHead(503).end("  database\n is   down ");
    });
    server.listen(where);
    await once(server, "listening");
    servers.push(server);
  }
  target = { address: "127.0.0.1", port: (servers[0]?.address() as AddressInfo).port };
});

afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true });
});

const same = (text: string): string => text;

describe("a probe", () => {
  test("tells status and body, under the given host name and without keeping the connection", async () => {
    expect(await probe(target, { path: "/", host: "shop.example", timeoutMs: 2000 })).toEqual({
      status: 503,
      body: "  database\n is   down ",
    });
    expect(seen.at(-1)?.headers).toMatchObject({
      host: "shop.example",
      connection: "close",
      "user-agent": "ikoma-agent",
    });
  });

  test("works over a unix socket, and follows no redirect", async () => {
    expect(await probe({ socketPath }, { path: "/moved", host: "shop.example", timeoutMs: 2000 })).toEqual({
      status: 302,
      body: "",
    });
  });

  test("counts an answer that is cut off or never ends by its status", async () => {
    expect(await probe(target, { path: "/cut", host: "x", timeoutMs: 2000 })).toEqual({ status: 200, body: "half" });
    expect(await probe(target, { path: "/endless", host: "x", timeoutMs: 200 })).toEqual({
      status: 200,
      body: "data: 1\n\n",
    });
  });

  test("keeps no more than it needs of a huge one", async () => {
    const answer = await probe(target, { path: "/huge", host: "x", timeoutMs: 5000 });
    expect("body" in answer && answer.body.length).toBeLessThanOrEqual(64 * 1024);
  });

  test.each([
    ["nobody listens", { address: "127.0.0.1", port: 1 }, "/", "x", /ECONNREFUSED/],
    ["there is no socket", { socketPath: `${socketPath}-not` }, "/", "x", /ENOENT/],
    ["the path cannot stand in a request", undefined, "/a b", "x", /unescaped/],
    ["the host name cannot either", undefined, "/", "a\nb", /Invalid character/],
    ["the connection is reset", undefined, "/reset", "x", /ECONNRESET|hang up/],
    ["no answer comes", undefined, "/silent", "x", /^no answer within 150 ms$/],
  ])("never throws, also when %s", async (_name, where, path, host, reason) => {
    const answer = await probe(where ?? target, { path, host, timeoutMs: path === "/silent" ? 150 : 2000 });
    expect("failure" in answer ? answer.failure : "").toMatch(reason);
  });

  test("ends when it is told to, and does not call that a time-out", async () => {
    const stop = new AbortController();
    const answer = probe(target, { path: "/silent", host: "x", timeoutMs: 60_000, signal: stop.signal });
    stop.abort(new Error("the operation was cancelled"));
    expect(await answer).toEqual({ failure: expect.not.stringContaining("no answer within") });
  });
});

test("an answer is accepted by the range of its status, both ends included", () => {
  const range = [200, 299] as const;
  expect([199, 200, 299, 300].map((status) => isAccepted({ status, body: "" }, range))).toEqual([
    false,
    true,
    true,
    false,
  ]);
  expect(isAccepted({ failure: "ECONNREFUSED" }, range)).toBe(false);
});

describe("an answer in words", () => {
  test("is short and on one line", () => {
    expect(describeAnswer({ status: 503, body: " database\n is   down " }, same)).toBe("status 503: database is down");
    expect(describeAnswer({ status: 204, body: " \n" }, same)).toBe("status 204");
    expect(describeAnswer({ failure: "ECONNREFUSED" }, same)).toBe("ECONNREFUSED");
    expect(describeAnswer({ status: 500, body: "x".repeat(5000) }, same).length).toBeLessThan(300);
  });

  test("shows no half of a secret that it would be cut in", () => {
    const body = `${"x".repeat(195)}hunter22-hunter22`;
    const text = describeAnswer({ status: 500, body }, (each) => each.replaceAll("hunter22-hunter22", "[secret]"));
    expect(text).not.toContain("hunt");
  });
});
