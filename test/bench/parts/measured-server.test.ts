import { expect, test } from "@jest/globals";
import { setTimeout as delay } from "node:timers/promises";
import { answerAs, startFaultyServer } from "../../load/faulty-server.ts";
import { LoadStream } from "../../load/load-stream.ts";
import { streamOptionsSchema, type StreamOptionsInput } from "../../load/stream-options.ts";
import { startMeasuredServer } from "./measured-server.ts";

function start(options: Partial<StreamOptionsInput> & Pick<StreamOptionsInput, "url" | "mode">): LoadStream {
  return new LoadStream(streamOptionsSchema.parse({ ratePerSecond: 500, durationMs: 1_000, ...options }));
}

test.each([
  ["keep-alive", "status", "status-503"],
  ["new-connections", "reset", "reset-before-answer"],
] as const)("the generator counts exactly what the server fails: %s, %s", async (mode, fault, kind) => {
  await using server = await startMeasuredServer(fault);
  const stream = start({ url: server.url, mode });
  await stream.finished;
  const report = await stream.stop();
  const taken = server.take();

  expect(taken).toMatchObject({ served: 500, failedByServer: 10 });
  expect(report).toMatchObject({ sent: 500, failed: 10, failures: { [kind]: 10 } });
  expect(report.latencyMs.p99).toBeGreaterThanOrEqual(20);
});

test("what was taken from the server is not counted again", async () => {
  await using server = await startMeasuredServer("status");
  const stream = start({ url: server.url, mode: "keep-alive", durationMs: 100 });
  await stream.finished;
  server.take();
  expect(server.take()).toMatchObject({ served: 0, failedByServer: 0 });
});

test("one stall counts for each request that was due in it, not for the one that met it", async () => {
  const stallMs = 600;
  await using server = await startFaultyServer(answerAs("v1"));
  const stalled = delay(stallMs);
  server.behaviour = (request, response, earlier) =>
    void stalled.then(() => {
      answerAs("v1")(request, response, earlier);
    });
  const stream = start({ url: server.url, mode: "keep-alive", ratePerSecond: 100, connections: 1 });
  await stream.finished;
  const { sent, latencyMs } = await stream.stop();

  // Due evenly over 1,000 ms, the first 600 ms of them held up: a closed loop on one connection would have sent few in
  // that time and shown one late answer, with a median of next to nothing.
  expect(sent).toBe(100);
  expect(latencyMs.p50).toBeGreaterThan(50);
  expect(latencyMs.p90).toBeGreaterThan(400);
});
