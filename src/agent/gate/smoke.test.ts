import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { smokeCheck } from "../../core/release/release-spec.ts";
import type { OperationContext } from "../host.ts";
import { runSmokeChecks } from "./smoke.ts";

let server: Server;
let asked: string[];

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const before = request.url === "/long" ? "x".repeat(500_000) : "";
    response.writeHead(request.url === "/admin" ? 403 : 200).end(`${before}Welcome, token=hunter22`);
  });
  server.listen(0);
  await once(server, "listening");
});

afterEach(() => {
  server.close();
});

const op: OperationContext = {
  key: "key",
  by: "anna",
  signal: new AbortController().signal,
  enter: () => Promise.resolve(),
  step: () => undefined,
  warn: () => undefined,
  log: () => undefined,
  redact: (text) => text.replaceAll("hunter22", "[secret]"),
};

function check(...checks: object[]): Promise<void> {
  const target = { address: "127.0.0.1", port: (server.address() as AddressInfo).port };
  return runSmokeChecks(
    checks.map((each) => smokeCheck.parse(each)),
    { target, host: "shop.example", where: "before the switch" },
    op,
  );
}

test("all checks are asked, in order", async () => {
  await check({ path: "/a" }, { path: "/admin", status: [403, 403] }, { path: "/b", contains: "Welcome" });
  expect(asked).toEqual(["/a", "/admin", "/b"]);
});

test("a text is found far down a long page", async () => {
  await expect(check({ path: "/long", contains: "Welcome" })).resolves.toBeUndefined();
});

test.each([
  ["a wrong status", { path: "/admin" }, "wanted a status of 200-399 and got status 403"],
  ["a missing text", { path: "/", contains: "Goodbye" }, 'wanted a body with "Goodbye" and got status 200'],
])("%s is told, without secrets, and ends it", async (_name, bad, message) => {
  const failed = check(bad, { path: "/never" });
  await expect(failed).rejects.toMatchObject({
    code: "RELEASE_SMOKE_FAILED",
    details: { path: bad.path, where: "before the switch" },
  });
  await expect(failed).rejects.toThrow(message);
  await expect(failed).rejects.toThrow("token=[secret]");
  expect(asked).not.toContain("/never");
});

test("nobody there to ask is a failure too", async () => {
  const checks = [smokeCheck.parse({ path: "/" })];
  await expect(
    runSmokeChecks(checks, { target: { address: "127.0.0.1", port: 1 }, host: "x", where: "there" }, op),
  ).rejects.toThrow("ECONNREFUSED");
});
