import { setTimeout as delay } from "node:timers/promises";
import { startFaultyServer, type FaultyServer } from "../../load/faulty-server.ts";

/** One request in so many is failed: with 503, or its connection reset. */
const failsEvery = 50;
/** One request in so many is answered late. */
const lateEvery = 10;
const lateByMs = 20;

/** A server with faults of known number and size. */
export interface MeasuredServer extends AsyncDisposable {
  readonly url: string;
  /** What it got, what of it it failed, and how many came a second, by its own clock; starts anew. */
  take(): { readonly served: number; readonly failedByServer: number; readonly achievedPerSecond: number };
}

/**
 * Fails each 50th request and answers each 10th of the others 20 ms late. `status` is a plain 503; `reset` ends the
 * connection without an answer (some clients silently repeat a request whose reused connection was reset, so only for
 * new connections).
 */
export async function startMeasuredServer(fault: "status" | "reset"): Promise<MeasuredServer> {
  let arrivedMs: number[] = [];
  let failed = 0;
  const server: FaultyServer = await startFaultyServer((request, response) => {
    arrivedMs.push(performance.now());
    const number = arrivedMs.length;
    if (number % failsEvery === 0) {
      failed += 1;
      if (fault === "reset") request.socket.resetAndDestroy();
      else response.writeHead(503).end();
      return;
    }
    const answer = (): void => void response.writeHead(200, { "x-app-version": "v1" }).end("hello\n");
    if (number % lateEvery === 0) void delay(lateByMs).then(answer);
    else answer();
  });
  return {
    url: server.url,
    take: () => {
      const spanMs = (arrivedMs.at(-1) ?? 0) - (arrivedMs[0] ?? 0);
      const taken = {
        served: arrivedMs.length,
        failedByServer: failed,
        achievedPerSecond: ((arrivedMs.length - 1) * 1000) / spanMs,
      };
      [arrivedMs, failed] = [[], 0];
      return taken;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
