import { request } from "node:http";
import type { RequestOptions } from "node:http";

/** Where a request goes: a container or the edge by address, or the edge's candidate socket. */
export type ProbeTarget = { address: string; port: number } | { socketPath: string };

/** What came back, or why nothing did. */
export type ProbeAnswer = { status: number; body: string } | { failure: string };

const bodyLimitBytes = 64 * 1024;

/** One GET without redirects or keep-alive. Never throws. */
export function probe(target: ProbeTarget, path: string, host: string, timeoutMs: number, signal?: AbortSignal): Promise<ProbeAnswer> {
  const where: RequestOptions = "socketPath" in target ? { socketPath: target.socketPath } : { host: target.address, port: target.port };
  return new Promise((resolve) => {
    const deadline = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])]);
    const outgoing = request(
      { ...where, path, agent: false, signal: deadline, headers: { host, "user-agent": "ikoma-agent", connection: "close" } },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        const answer = (): void => {
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
        };
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size <= bodyLimitBytes) chunks.push(chunk);
          else response.destroy();
        });
        response.on("end", answer);
        response.on("close", answer);
        response.on("error", () => undefined); // `close` follows
      },
    );
    outgoing.on("error", (error) => {
      resolve({ failure: deadline.aborted ? `no answer within ${timeoutMs} ms` : error.message });
    });
    outgoing.end();
  });
}

/** Whether an answer's status is within the accepted range, inclusive. */
export function isAccepted(answer: ProbeAnswer, [from, to]: readonly [number, number]): boolean {
  return "status" in answer && answer.status >= from && answer.status <= to;
}

/** The answer in words, for a message: `status 503: database is down`. */
export function describeAnswer(answer: ProbeAnswer): string {
  if ("failure" in answer) return answer.failure;
  const text = answer.body.trim().replaceAll(/\s+/g, " ").slice(0, 200);
  return text === "" ? `status ${answer.status}` : `status ${answer.status}: ${text}`;
}
