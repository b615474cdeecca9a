import { Agent as PlainAgent, request as plainRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { text } from "node:stream/consumers";
import { IkomaError } from "../errors.ts";
import { problem, type Problem } from "./link-protocol.ts";

/** Where the Bridge's API is, and who asks. */
export interface ApiAccess {
  /** `https://bridge.example`, or plain HTTP on this machine. */
  readonly url: string;
  /** The only authority that its certificate may be from, as PEM; without it those that Node trusts. */
  readonly caCert?: string | undefined;
  /** Read anew for each request: a token may be replaced meanwhile. */
  readonly token: () => string | Promise<string>;
}

export interface ApiRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** From the root, such as `/v1/hosts/vps1/channels`. */
  readonly path: string;
  readonly body?: unknown;
  /** Until the answer's head has come, in ms; its end has as long, but 15 s at most. @default 15_000 */
  readonly timeoutMs?: number;
  /** Ends the request, and a stream that it gave. */
  readonly signal?: AbortSignal | undefined;
  /** It must not be sent again where nobody knows whether it arrived. */
  readonly once?: boolean;
}

const answerTimeoutMs = 15_000;

/** The API refused a request: its status, and what it said. */
export class ApiRefusal extends Error {
  readonly status: number;
  readonly problem: Problem | undefined;

  constructor(status: number, told: Problem | undefined) {
    super(told?.detail ?? `The API answered with status ${status}.`);
    this.status = status;
    this.problem = told;
  }
}

class StaleConnection extends Error {}

/** HTTP to the Bridge's API over kept connections, with Node's own client. */
export class ApiClient {
  readonly #access: ApiAccess;
  readonly #base: URL;
  #agent: Promise<{ agent: PlainAgent; request: typeof plainRequest }> | undefined;

  constructor(access: ApiAccess) {
    this.#access = access;
    this.#base = new URL(access.url);
  }

  /**
   * One request with an answer of JSON.
   *
   * @throws API_UNREACHABLE, {@link ApiRefusal}
   */
  async json(request: ApiRequest): Promise<unknown> {
    const { timeoutMs } = request;
    const body = await bodyOf(await this.stream(request), timeoutMs).catch((cause: unknown) => {
      throw this.#unreachable(cause);
    });
    return body === "" ? undefined : parseJson(body);
  }

  /**
   * One request whose answer is read as it comes.
   *
   * @throws API_UNREACHABLE, {@link ApiRefusal}
   */
  async stream(request: ApiRequest): Promise<IncomingMessage> {
    const response = await this.#send(request);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const body = await bodyOf(response, request.timeoutMs).catch(() => "");
    throw new ApiRefusal(status, problem.safeParse(parseJson(body)).data);
  }

  /** Ends kept connections. */
  async close(): Promise<void> {
    (await this.#agent)?.agent.destroy();
  }

  /** The server may close a kept connection in the very moment in which it is used: what can be repeated is. */
  async #send(request: ApiRequest): Promise<IncomingMessage> {
    try {
      return await this.#sendOnce(request);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      if (request.once === true) throw this.#unreachable(error.cause);
      return this.#sendOnce(request);
    }
  }

  async #sendOnce({ method, path, body, timeoutMs = answerTimeoutMs, signal }: ApiRequest): Promise<IncomingMessage> {
    const { agent, request } = await (this.#agent ??= openAgent(this.#base, this.#access.caCert));
    const content = body === undefined ? undefined : JSON.stringify(body);
    const options: RequestOptions = {
      method,
      agent,
      headers: {
        authorization: `Bearer ${await this.#access.token()}`,
        accept: "application/json",
        ...(content !== undefined && {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(content),
        }),
      },
      ...(signal !== undefined && { signal }),
    };
    return new Promise((resolve, reject) => {
      const sent = request(new URL(this.#base.pathname.replace(/\/$/, "") + path, this.#base), options, (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      const timer = setTimeout(() => {
        sent.destroy(new Error(`no answer within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      sent.on("error", (cause) => {
        clearTimeout(timer);
        const isStale = sent.reusedSocket && (cause as NodeJS.ErrnoException).code === "ECONNRESET";
        reject(isStale ? new StaleConnection("", { cause }) : this.#unreachable(cause));
      });
      sent.end(content);
    });
  }

  #unreachable(cause: unknown): IkomaError {
    return new IkomaError("API_UNREACHABLE", `The API at ${this.#base.origin} cannot be reached: ${reasonOf(cause)}.`, {
      cause,
    });
  }
}

/** TLS is loaded where there is some. */
async function openAgent(base: URL, caCert: string | undefined) {
  if (base.protocol === "http:") return { agent: new PlainAgent({ keepAlive: true }), request: plainRequest };
  const https = await import("node:https");
  const agent = new https.Agent({ keepAlive: true, ...(caCert !== undefined && { ca: caCert }) });
  return { agent, request: https.request };
}

/** What has begun may still never end. */
async function bodyOf(response: IncomingMessage, timeoutMs = answerTimeoutMs): Promise<string> {
  const timer = setTimeout(
    () => {
      response.destroy(new Error("an answer broke off"));
    },
    Math.min(timeoutMs, answerTimeoutMs),
  );
  try {
    return await text(response);
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const { code = "" } = cause as NodeJS.ErrnoException;
  if (code === "ECONNREFUSED") return "nothing listens there";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "the name is not known";
  if (code.includes("CERT") || code.includes("SIGNATURE")) return `its certificate is not trusted (${cause.message})`;
  return cause.message.replace(/\.$/, "");
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
