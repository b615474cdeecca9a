import * as http from "node:http";
import * as https from "node:https";
import type { Socket } from "node:net";
import { failureKind, statusKind } from "./request-outcome.ts";
import type { FailurePoint, RequestOutcome } from "./request-outcome.ts";
import type { StreamOptions } from "./stream-options.ts";

const MAX_BODY_CHARACTERS = 65_536;

/** Sends the requests of one stream, each once, and says how it ended. */
export interface RequestSender {
  /** Calls `done` exactly once, at the latest when the time-out has passed. */
  send(sequence: number, done: (outcome: RequestOutcome) => void): void;
  /** Closes idle connections. */
  close(): void;
}

/** Connections and request options are made once, so that a request costs little. */
export function createRequestSender(options: StreamOptions): RequestSender {
  const url = new URL(options.url);
  const scheme = url.protocol === "https:" ? https : http;
  const agents = createAgents(options, scheme);
  const fixed = requestOptions(options, url);
  const lastUsedMs = new WeakMap<Socket, number>();
  return {
    send(sequence, done) {
      const body = options.mode === "post" ? JSON.stringify({ id: `${options.idPrefix}-${sequence}` }) : undefined;
      const headers = { ...fixed.headers };
      if (body !== undefined) headers["content-length"] = Buffer.byteLength(body);
      const request = scheme.request({ ...fixed, headers, agent: agents[sequence % agents.length] ?? false });
      observe(request, options, lastUsedMs, done);
      request.end(body);
    },
    close() {
      for (const agent of agents) agent.destroy();
    },
  };
}

/** One agent per kept connection makes the requests go round over all of them; a plain pool would use only the last few. */
function createAgents(options: StreamOptions, scheme: typeof http | typeof https): http.Agent[] {
  if (options.mode === "new-connections") return [];
  return Array.from({ length: options.connections }, () => new scheme.Agent({ keepAlive: true }));
}

function requestOptions(
  options: StreamOptions,
  url: URL,
): Omit<https.RequestOptions, "headers"> & { headers: Record<string, string | number> } {
  const headers: Record<string, string | number> = { "user-agent": "ikoma-load" };
  if (options.host !== undefined) headers["host"] = options.host;
  if (options.mode === "post") headers["content-type"] = "application/json";
  return {
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port,
    path: `${url.pathname}${url.search}`,
    method: options.mode === "post" ? "POST" : "GET",
    headers,
    ...(url.protocol === "https:" && {
      rejectUnauthorized: !options.insecureTls,
      ...(options.host !== undefined && { servername: options.host.replace(/:\d+$/, "") }),
    }),
  };
}

function observe(
  request: http.ClientRequest,
  options: StreamOptions,
  lastUsedMs: WeakMap<Socket, number>,
  done: (outcome: RequestOutcome) => void,
): void {
  const point: FailurePoint = { reused: false, connected: false, answerBegun: false };
  let connection: Socket | undefined;
  let idleMs: number | undefined;
  let settled = false;

  const settle = (result: Omit<RequestOutcome, "reused" | "idleMs">) => {
    if (settled) return;
    settled = true;
    clearTimeout(timer);
    done({ ...result, reused: point.reused, ...(idleMs !== undefined && { idleMs }) });
  };
  const fail = (error: Error) => {
    settle({ kind: failureKind(error, point), detail: error.message });
  };
  const timer = setTimeout(() => {
    settle({
      kind: point.connected ? "timeout" : "connect-timeout",
      detail: `no complete answer in ${options.timeoutMs} ms`,
    });
    request.destroy();
  }, options.timeoutMs);

  request.on("socket", (socket) => {
    connection = socket;
    point.reused = request.reusedSocket;
    point.connected = request.reusedSocket;
    const usedMs = lastUsedMs.get(socket);
    if (usedMs !== undefined) idleMs = performance.now() - usedMs;
    if (socket.connecting) socket.once("connect", () => (point.connected = true));
  });
  request.on("error", fail);
  request.on("response", (response) => {
    point.answerBegun = true;
    readAnswer(response, options, fail, (version) => {
      if (connection) lastUsedMs.set(connection, performance.now());
      const status = response.statusCode ?? 0;
      settle({ kind: statusKind(status, options.mode), status, ...(version !== undefined && { version }) });
    });
  });
}

function readAnswer(
  response: http.IncomingMessage,
  options: StreamOptions,
  fail: (error: Error) => void,
  complete: (version: string | undefined) => void,
): void {
  const header = response.headers[options.versionHeader.toLowerCase()];
  let body = "";
  response.on("error", fail);
  if (header === undefined && options.versionPattern !== undefined) {
    response.setEncoding("utf8").on("data", (text: string) => {
      if (body.length < MAX_BODY_CHARACTERS) body += text;
    });
  } else {
    response.resume();
  }
  response.on("end", () => {
    complete(header === undefined ? versionInBody(body, options) : header.toString());
  });
}

function versionInBody(body: string, options: StreamOptions): string | undefined {
  return options.versionPattern === undefined ? undefined : new RegExp(options.versionPattern).exec(body)?.[1];
}
