import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { request as requestOverTls } from "node:https";
import type { RequestOptions } from "node:https";

/** Where a request goes: a container or the edge by address, or the edge's candidate socket. */
export type ProbeTarget = { address: string; port: number; tls?: boolean } | { socketPath: string };

/** What came back, or why nothing did. */
export type ProbeAnswer = { status: number; body: string } | { failure: string };

const usualBodyBytes = 64 * 1024;

/** What is asked, and how long the answer may take. */
export interface ProbeRequest {
  readonly path: string;
  /** Host name that it is asked for, as a visitor would. */
  readonly host: string;
  readonly timeoutMs: number;
  /** What is kept of the answer's body, at most. @default 64 KiB */
  readonly bodyBytes?: number;
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One GET without redirects or keep-alive. Never throws. */
export function probe(
  target: ProbeTarget,
  { path, host, timeoutMs, bodyBytes = usualBodyBytes, signal, headers = {} }: ProbeRequest,
): Promise<ProbeAnswer> {
  const where: RequestOptions =
    "socketPath" in target ? { socketPath: target.socketPath } : { host: target.address, port: target.port };
  const isTls = "tls" in target && target.tls;
  return new Promise((resolve) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const ended = AbortSignal.any([timeout, ...(signal === undefined ? [] : [signal])]);
    const fail = (error: unknown): void => {
      const reason = error instanceof Error ? error.message : String(error);
      resolve({ failure: timeout.aborted ? `no answer within ${timeoutMs} ms` : reason });
    };
    try {
      // Throws for a path or host name that cannot stand in a request.
      const outgoing = (isTls ? requestOverTls : request)({
        ...where,
        // The edge is asked on its own machine; whom its certificate convinces is not what is asked.
        ...(isTls && { servername: host, rejectUnauthorized: false }),
        path,
        agent: false,
        signal: ended,
        headers: { ...headers, host, "user-agent": "ikoma-agent", connection: "close" },
      });
      let hasBegun = false;
      outgoing.on("response", (response) => {
        hasBegun = true;
        collect(response, bodyBytes, resolve);
      });
      outgoing.on("error", (error) => {
        // An answer that never ends (a stream of events) is one all the same.
        if (!hasBegun) fail(error);
      });
      outgoing.end();
    } catch (error) {
      fail(error);
    }
  });
}

/** Gives what has come when the answer ends, is cut off or exceeds what is kept of it. */
function collect(response: IncomingMessage, limit: number, done: (answer: ProbeAnswer) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  const answer = (): void => {
    done({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
  };
  response.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else response.destroy();
  });
  response.on("end", answer);
  response.on("close", answer);
  response.on("error", () => undefined); // `close` follows
}

/** Whether an answer's status is within the accepted range, inclusive. */
export function isAccepted(answer: ProbeAnswer, [from, to]: readonly [number, number]): boolean {
  return "status" in answer && answer.status >= from && answer.status <= to;
}

/** The first bytes of the answer, or why none came. Masked before it is cut: half a secret would not be found. */
export function shownText(answer: ProbeAnswer, redact: (text: string) => string): string {
  if ("failure" in answer) return redact(answer.failure);
  return redact(answer.body).trim().replaceAll(/\s+/g, " ").slice(0, 200);
}

/** The answer in words, for a message: `status 503: database is down`. */
export function describeAnswer(answer: ProbeAnswer, redact: (text: string) => string): string {
  const text = shownText(answer, redact);
  if ("failure" in answer) return text;
  return text === "" ? `status ${answer.status}` : `status ${answer.status}: ${text}`;
}
