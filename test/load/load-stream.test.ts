import { expect, test } from "@jest/globals";
import { answerAs, closedUrl, startFaultyServer } from "./faulty-server.ts";
import type { Behaviour } from "./faulty-server.ts";
import { LoadStream } from "./load-stream.ts";
import { missingWrites } from "./missing-writes.ts";
import { streamOptionsSchema } from "./stream-options.ts";
import type { StreamOptionsInput } from "./stream-options.ts";
import type { StreamReport } from "./stream-report.ts";

/** Twenty requests at 100 a second, unless the test wants others. */
async function run(options: Partial<StreamOptionsInput> & { url: string }): Promise<StreamReport> {
  const stream = new LoadStream(
    streamOptionsSchema.parse({
      ratePerSecond: 100,
      durationMs: 200,
      mode: "keep-alive",
      timeoutMs: 2_000,
      ...options,
    }),
  );
  await stream.finished;
  return stream.stop();
}

async function runAgainst(behaviour: Behaviour, options: Partial<StreamOptionsInput> = {}): Promise<StreamReport> {
  await using server = await startFaultyServer(behaviour);
  return await run({ url: server.url, ...options });
}

test("counts answers, versions and latencies of a good server", async () => {
  const report = await runAgainst(answerAs("v1"));
  expect(report).toMatchObject({ sent: 20, succeeded: 20, failed: 0, failures: {}, statuses: { "200": 20 } });
  expect(report.versions).toMatchObject([{ version: "v1", answers: 20 }]);
  expect(report.latencyMs.p50).toBeGreaterThan(0);
  expect(report.latencyMs.p99).toBeGreaterThanOrEqual(report.latencyMs.p50);
  expect(report.windows.reduce((sum, window) => sum + window.sent, 0)).toBe(20);
});

test("keep-alive goes round over its connections and reuses them", async () => {
  await using server = await startFaultyServer(answerAs("v1"));
  const report = await run({ url: server.url, connections: 4, ratePerSecond: 50, durationMs: 400 });
  expect(report.connections).toEqual({ opened: server.connections, reused: 20 - server.connections });
  expect(server.connections).toBeGreaterThanOrEqual(4);
  expect(server.connections).toBeLessThan(20);
});

test("new-connections opens one for each request", async () => {
  await using server = await startFaultyServer(answerAs("v1"));
  const report = await run({ url: server.url, mode: "new-connections" });
  expect(report.connections).toEqual({ opened: 20, reused: 0 });
  expect(server.connections).toBe(20);
});

test("goes on sending while the server stalls, and shows the stall as latency", async () => {
  let stalled = 0;
  const stallMs = 2_000;
  const stall: Behaviour = (request, response, earlier) => {
    stalled += 1;
    setTimeout(() => {
      answerAs("v1")(request, response, earlier);
    }, stallMs);
  };
  const report = await runAgainst(stall, { timeoutMs: 20_000 });
  // All were sent within the 200 ms in which they were due, long before the first answer.
  expect(stalled).toBe(20);
  expect(Math.max(...report.windows.map((window) => window.atMs))).toBeLessThan(stallMs);
  expect(report.latencyMs.p50).toBeGreaterThanOrEqual(stallMs - 10);
});

test("sees a refused connection", async () => {
  const report = await run({ url: await closedUrl() });
  expect(report).toMatchObject({ succeeded: 0, failed: 20, failures: { "connection-refused": 20 } });
});

test("sees statuses that are no success", async () => {
  let count = 0;
  const report = await runAgainst((_request, response) => {
    count += 1;
    response.writeHead(count % 4 === 0 ? 503 : 200, { "x-app-version": "v1" }).end();
  });
  expect(report).toMatchObject({ succeeded: 15, failed: 5, failures: { "status-503": 5 } });
  expect(report.windows.reduce((sum, window) => sum + window.failed, 0)).toBe(5);
  expect(report.failureExamples).toHaveLength(5);
});

test("sees an answer that never comes", async () => {
  const report = await runAgainst(() => undefined, { timeoutMs: 1_000 });
  expect(report.failures).toEqual({ timeout: 20 });
});

test("sees an answer whose body never ends", async () => {
  const report = await runAgainst((_request, response) => void response.writeHead(200).write("begin"), {
    timeoutMs: 1_000,
  });
  expect(report.failures).toEqual({ timeout: 20 });
});

test("sees an answer that is cut short", async () => {
  const report = await runAgainst((_request, response) => {
    response.writeHead(200, { "content-length": "100" }).write("part", () => {
      response.destroy();
    });
  });
  expect(report.failures).toEqual({ "answer-cut-short": 20 });
});

test("sees a connection closed before the answer", async () => {
  const report = await runAgainst((request) => request.socket.destroy(), { mode: "new-connections" });
  expect(report.failures).toEqual({ "reset-before-answer": 20 });
});

test("sees an answer that is not HTTP", async () => {
  const report = await runAgainst((request) => request.socket.end("garbage\r\n\r\n"));
  expect(report.failures).toEqual({ "malformed-answer": 20 });
});

test("the keep-alive race is a failure with a name of its own, and not retried", async () => {
  let requests = 0;
  const closeWhenReused: Behaviour = (request, response, earlier) => {
    requests += 1;
    if (earlier > 0) request.socket.resetAndDestroy();
    else answerAs("v1")(request, response, earlier);
  };
  const report = await runAgainst(closeWhenReused, { connections: 1, ratePerSecond: 20, durationMs: 1000 });
  expect(report.failures["reset-on-reused-connection"]).toBeGreaterThan(0);
  expect(Object.keys(report.failures)).toEqual(["reset-on-reused-connection"]);
  expect(requests).toBe(report.sent);
  const example = report.failureExamples[0];
  expect(example?.reused).toBe(true);
  expect(example?.idleMs).toBeGreaterThan(0);
});

test("reads the version from the body where no header has it", async () => {
  const inBody: Behaviour = (_request, response) => void response.end("<p>hello from version v7 here</p>");
  const report = await runAgainst(inBody, { versionPattern: "version (\\S+)" });
  expect(report.versions.map((seen) => seen.version)).toEqual(["v7"]);
  expect((await runAgainst(inBody)).withoutVersion).toBe(20);
});

test("says when each version answered first and last", async () => {
  await using server = await startFaultyServer(answerAs("v1"));
  const stream = new LoadStream(
    streamOptionsSchema.parse({ url: server.url, ratePerSecond: 100, durationMs: 400, mode: "keep-alive" }),
  );
  let seen = 0;
  server.behaviour = (request, response, earlier) => {
    seen += 1;
    answerAs(seen <= 10 ? "v1" : "v2")(request, response, earlier);
  };
  await stream.finished;
  const [v1, v2] = (await stream.stop()).versions;
  expect(v1).toMatchObject({ version: "v1", answers: 10 });
  expect(v2).toMatchObject({ version: "v2", answers: 30 });
  expect(v1?.firstAnswerAtMs).toBeLessThan(v2?.firstAnswerAtMs ?? 0);
  expect(v2?.lastAnswerAtMs).toBeLessThanOrEqual(Date.now() + 5);
});

test("finds the acknowledged writes that a server has lost", async () => {
  const stored: string[] = [];
  let posts = 0;
  const loseEveryFifth: Behaviour = (request, response) => {
    void new Response(request).json().then((order: unknown) => {
      posts += 1;
      if (posts === 3) return response.writeHead(500).end();
      if (posts % 5 !== 0) stored.push((order as { id: string }).id);
      return response.writeHead(201).end();
    });
  };
  const report = await runAgainst(loseEveryFifth, { mode: "post", idPrefix: "run" });
  expect(report).toMatchObject({ sent: 20, succeeded: 19, failures: { "status-500": 1 } });
  expect(report.acknowledgedIds).toHaveLength(19);
  expect(report.unacknowledgedIds).toHaveLength(1);
  expect(missingWrites(report.acknowledgedIds, stored)).toHaveLength(4);
  expect(missingWrites(stored, report.acknowledgedIds)).toEqual([]);
});

test("a post that is not answered with 201 is no success", async () => {
  const report = await runAgainst(answerAs("v1"), { mode: "post" });
  expect(report.failures).toEqual({ "status-200": 20 });
  expect(report.acknowledgedIds).toEqual([]);
});

test("a stop ends the sending early and waits for what is in flight", async () => {
  await using server = await startFaultyServer((request, response, earlier) => {
    setTimeout(() => {
      answerAs("v1")(request, response, earlier);
    }, 300);
  });
  const stream = new LoadStream(
    streamOptionsSchema.parse({ url: server.url, ratePerSecond: 100, durationMs: 60_000, mode: "keep-alive" }),
  );
  await server.reached(5);
  const report = await stream.stop();
  expect(report.sent).toBeGreaterThanOrEqual(5);
  expect(report.sent).toBeLessThan(1_000);
  expect(report).toMatchObject({ succeeded: report.sent, failed: 0 });
});
