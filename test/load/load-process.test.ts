import { expect, test } from "@jest/globals";
import { answerAs, startFaultyServer } from "./faulty-server.ts";
import type { FaultyServer } from "./faulty-server.ts";
import { LoadProcess } from "./load-process.ts";
import { epochNowMs } from "./load-stream.ts";

/** Resolves when the server has answered so many more requests with this version. */
function answersAs(server: FaultyServer, version: string, times: number): Promise<void> {
  return new Promise((resolve) => {
    let left = times;
    server.behaviour = (request, response, earlier) => {
      answerAs(version)(request, response, earlier);
      left -= 1;
      if (left === 0) resolve();
    };
  });
}

test("streams run side by side in a process of their own, and marks place a switch in time", async () => {
  await using server = await startFaultyServer(answerAs("v1"));
  await using load = await LoadProcess.start([
    { name: "open", url: server.url, ratePerSecond: 100, mode: "keep-alive" },
    { name: "new", url: server.url, ratePerSecond: 50, mode: "new-connections" },
  ]);
  await answersAs(server, "v1", 30);
  const switchedAtMs = await load.mark("switch");
  await answersAs(server, "v2", 30);
  const report = await load.stop([{ version: "v1", toMs: switchedAtMs }, { version: "v2" }]);

  expect(report.marks).toEqual([{ label: "switch", atMs: switchedAtMs }]);
  expect(Math.abs(switchedAtMs - epochNowMs())).toBeLessThan(60_000);
  expect(report.streams.map((stream) => stream.name)).toEqual(["open", "new"]);
  for (const stream of report.streams) {
    expect(stream).toMatchObject({ failed: 0 });
    expect(stream.versions.map((seen) => seen.version)).toEqual(["v1", "v2"]);
    expect(stream.unexpected).toBeDefined();
  }
});

test("an answer of the old version after its time is reported as unexpected", async () => {
  await using server = await startFaultyServer(answerAs("v1"));
  await using load = await LoadProcess.start([{ url: server.url, ratePerSecond: 100, mode: "keep-alive" }]);
  await answersAs(server, "v1", 10);
  const endedAtMs = await load.mark("v1 should be gone");
  await answersAs(server, "v1", 40);
  const [stream] = (await load.stop([{ version: "v1", toMs: endedAtMs }])).streams;
  expect(stream?.failed).toBe(0);
  // Not all forty: those that were sent before the mark had the right to their answer.
  expect(stream?.unexpected?.answers).toBeGreaterThan(0);
  expect(stream?.unexpected?.answers).toBeLessThan(stream?.sent ?? 0);
});

test("an address outside the lab is refused before anything starts", async () => {
  await expect(LoadProcess.start([{ url: "http://192.0.2.1/", ratePerSecond: 1, mode: "keep-alive" }])).rejects.toThrow(
    "10.77.0.0/16",
  );
});

test("a process that was ended says so instead of waiting", async () => {
  await using server = await startFaultyServer(answerAs("v1"));
  const load = await LoadProcess.start([{ url: server.url, ratePerSecond: 10, mode: "keep-alive" }]);
  await load[Symbol.asyncDispose]();
  await expect(load.stop()).rejects.toThrow("ended early");
});
