import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import * as z from "zod";
import { EngineApi, labelFilter } from "./engine-api.ts";

const folder = mkdtempSync(join(tmpdir(), "ikoma-engine-"));
const socketPath = join(folder, "engine.sock");
const engine = new EngineApi(socketPath);
let server: Server;

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? "";
    if (path === "/silent") return;
    // As the engine answers a command: without a length, until the connection ends.
    if (path === "/hijacked") {
      request.socket.write("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nhalf");
      return;
    }
    if (path === "/cut") response.write("half", () => response.destroy());
    else if (path === "/stalls") response.write("half");
    else if (path === "/endless") {
      const chunk = Buffer.alloc(1024 * 1024);
      const more = (): void => void response.write(chunk, more);
      more();
    } else if (path === "/echo")
      void text(request).then((body) =>
        response.end(JSON.stringify({ method: request.method, body, headers: request.headers })),
      );
    else if (path === "/empty") response.writeHead(204).end();
    else if (path === "/refused") response.writeHead(409).end(JSON.stringify({ message: "the name is taken" }));
    else if (path === "/plain") response.writeHead(500).end("panic\n");
    else if (path === "/bare") response.writeHead(503).end();
    else response.writeHead(404).end(JSON.stringify({ message: "page not found" }));
  });
  server.listen(socketPath);
  await once(server, "listening");
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

describe("a request", () => {
  test("carries its body as JSON, with its headers", async () => {
    const echoed = await engine.json(
      z.object({ method: z.string(), body: z.string(), headers: z.record(z.string(), z.string()) }),
      {
        method: "POST",
        path: "/echo",
        body: { Name: "é" },
        headers: { "x-registry-auth": "abc" },
      },
    );
    expect(echoed).toMatchObject({
      method: "POST",
      body: '{"Name":"é"}',
      headers: { "content-type": "application/json", "content-length": "13", "x-registry-auth": "abc" },
    });
  });

  test("may have an empty answer", async () => {
    expect(await engine.json(z.object({}), { path: "/empty" })).toEqual({});
  });

  test.each([
    ["/refused", 409, "the name is taken"],
    ["/plain", 500, "panic"],
    ["/bare", 503, "HTTP status 503"],
  ])("that is refused tells status and reason: %s", async (path, status, message) => {
    await expect(engine.raw({ path })).rejects.toMatchObject({ name: "EngineRefusal", status, message });
  });

  test("finds nothing where the engine says 404, and fails on other refusals", async () => {
    expect(await engine.find(z.object({}), "/no-such")).toBeUndefined();
    await expect(engine.find(z.object({}), "/refused")).rejects.toMatchObject({ status: 409 });
  });

  test("whose answer is not as documented fails", async () => {
    await expect(engine.json(z.object({ Id: z.string() }), { path: "/empty" })).rejects.toThrow(z.ZodError);
  });
});

describe("an engine that does not answer as it should", () => {
  test.each([
    ["says nothing", { path: "/silent", timeoutMs: 100 }, "did not answer /silent in time"],
    ["stops in the middle", { path: "/stalls", timeoutMs: 100 }, "broke off its answer to /stalls"],
    ["closes in the middle", { path: "/cut" }, "broke off its answer to /cut"],
  ])("(%s) is not waited for", async (_name, request, message) => {
    const failed = engine.raw(request);
    await expect(failed).rejects.toMatchObject({ code: "HOST_NOT_READY" });
    await expect(failed).rejects.toThrow(message);
  });

  test("or is not there at all is said to be so", async () => {
    await expect(new EngineApi(`${socketPath}-not`).raw({ path: "/info" })).rejects.toMatchObject({
      code: "HOST_NOT_READY",
    });
  });

  test("or never ends cannot fill the memory", async () => {
    expect((await engine.raw({ path: "/endless" })).length).toBeLessThanOrEqual(16 * 1024 * 1024);
  });

  test.each(["/silent", "/hijacked"])("is left when the caller gives up (%s)", async (path) => {
    const signal = AbortSignal.timeout(50);
    await expect(engine.raw({ path, signal })).rejects.toThrow(/abort/);
  });
});

test("labels are asked for as the engine wants them", () => {
  const query = new URLSearchParams(labelFilter({ "dev.ikoma.app": "shop", "dev.ikoma.part": "release" }));
  expect(JSON.parse(query.get("filters") ?? "")).toEqual({ label: ["dev.ikoma.app=shop", "dev.ikoma.part=release"] });
});
