import { IncomingMessage, request } from "node:http";
import type { RequestOptions } from "node:http";
import type { Duplex } from "node:stream";
import * as z from "zod";
import { IkomaError } from "../../core/errors.ts";

/** The engine's answer to a request that it refused: `status` is its HTTP status. */
export class EngineRefusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = "EngineRefusal";
    this.status = status;
  }
}

/** What a request to the engine may carry. */
export interface EngineRequest {
  method?: "GET" | "POST" | "DELETE" | "HEAD";
  /** With query string, without version prefix. */
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** How long the engine may say nothing, not how long the answer may take. Default 30 s. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

const defaultTimeoutMs = 30_000;
/** Bounds what a chatty container can make the agent hold, in bytes. */
const maxAnswerBytes = 16 * 1024 * 1024;

/**
 * The Docker Engine API over its unix socket. Plain HTTP, so no client library: the usual one brings
 * gRPC, protobuf and an SSH client into an agent that should stay small.
 */
export class EngineApi {
  readonly socketPath: string;

  constructor(socketPath = "/var/run/docker.sock") {
    this.socketPath = socketPath;
  }

  /** The parsed JSON answer, held against `schema`. */
  async json<S extends z.ZodType>(schema: S, what: EngineRequest): Promise<z.infer<S>> {
    const text = (await this.raw(what)).toString("utf8");
    return schema.parse(text === "" ? {} : JSON.parse(text));
  }

  /** The answer's body, at most its first 16 MiB. Throws {@link EngineRefusal} on 4xx and 5xx. */
  async raw(what: EngineRequest): Promise<Buffer> {
    const response = await this.stream(what);
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of response) {
        const bytes = chunk as Buffer;
        size += bytes.length;
        if (size > maxAnswerBytes) break;
        chunks.push(bytes);
      }
      // An answer that lasts until its connection ends (of a command) seems whole when it is cut off.
      what.signal?.throwIfAborted();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new IkomaError("HOST_NOT_READY", `The Docker engine broke off its answer to ${what.path}: ${reason}`, {
        cause: error,
      });
    }
    return Buffer.concat(chunks);
  }

  /** Like {@link raw}, but undefined where the engine says 404. */
  async find<S extends z.ZodType>(schema: S, path: string): Promise<z.infer<S> | undefined> {
    try {
      return await this.json(schema, { path });
    } catch (error) {
      if (error instanceof EngineRefusal && error.status === 404) return undefined;
      throw error;
    }
  }

  /** The answer as a stream, for pulls and logs. */
  async stream(what: EngineRequest): Promise<IncomingMessage> {
    const response = await this.#send(what);
    const status = response.statusCode ?? 0;
    if (status < 400) return response;
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    throw new EngineRefusal(status, refusalMessage(Buffer.concat(chunks).toString("utf8"), status));
  }

  /** The connection itself, both ways: standard input and output of a command in a container. */
  async duplex(what: EngineRequest): Promise<Duplex> {
    const body = what.body === undefined ? undefined : JSON.stringify(what.body);
    const headers = { ...what.headers, connection: "Upgrade", upgrade: "tcp" };
    const answer = await new Promise<Duplex | IncomingMessage>((resolve, reject) => {
      const outgoing = request(this.#options({ ...what, headers }, body), resolve);
      outgoing.on("upgrade", (_response, socket, head) => {
        socket.setTimeout(0);
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      outgoing.on("error", reject);
      outgoing.end(body);
    });
    if (!(answer instanceof IncomingMessage)) return answer;
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    const status = answer.statusCode ?? 0;
    throw new EngineRefusal(status, refusalMessage(Buffer.concat(chunks).toString("utf8"), status));
  }

  #options(what: EngineRequest, body: string | undefined): RequestOptions {
    return {
      socketPath: this.socketPath,
      // A kept connection may be one that the engine is just closing (its restart); a new one costs next to nothing.
      agent: false,
      method: what.method ?? "GET",
      path: what.path,
      headers: {
        ...(body === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
        ...what.headers,
      },
      timeout: what.timeoutMs ?? defaultTimeoutMs,
      ...(what.signal === undefined ? {} : { signal: what.signal }),
    };
  }

  #send(what: EngineRequest): Promise<IncomingMessage> {
    const body = what.body === undefined ? undefined : JSON.stringify(what.body);
    return new Promise((resolve, reject) => {
      const outgoing = request(this.#options(what, body), resolve);
      outgoing.on("timeout", () => outgoing.destroy(new Error(`the engine did not answer ${what.path} in time`)));
      outgoing.on("error", (error) => {
        reject(
          new IkomaError("HOST_NOT_READY", `The Docker engine does not answer: ${error.message}`, { cause: error }),
        );
      });
      outgoing.end(body);
    });
  }
}

const refusalBody = z.object({ message: z.string() });

function refusalMessage(body: string, status: number): string {
  try {
    return refusalBody.parse(JSON.parse(body)).message;
  } catch {
    return body.trim() || `HTTP status ${status}`;
  }
}

/** The `filters` query parameter for labels (`name=value`). */
export function labelFilter(labels: Record<string, string>): string {
  const label = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return `filters=${encodeURIComponent(JSON.stringify({ label }))}`;
}
