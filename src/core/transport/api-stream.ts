import { Duplex } from "node:stream";
import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { maxMessageBytes } from "../../agent/protocol/wire.ts";
import { IkomaError } from "../errors.ts";
import { ApiClient, ApiRefusal } from "../link/api-client.ts";
import { channelOpened, frameBatchBytes, heartbeatMs, longestWaitMs } from "../link/link-protocol.ts";
import type { ApiWay } from "../config/schema.ts";
import { LineSplitter } from "./line-splitter.ts";

/** A host that is reached through the API, and how long one that is away is waited for. */
export interface ApiHost {
  /** As the API knows it. */
  readonly name: string;
  readonly way: ApiWay;
  readonly token: () => string | Promise<string>;
  /** @default 0 */
  readonly waitForHostMs?: number | undefined;
  /** For one that was there before, at least. @default 30_000 */
  readonly comeBackMs?: number | undefined;
  /** Told once for each time that something has to be waited for. */
  readonly onQueued?: ((message: string) => void) | undefined;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** An agent that was there a moment ago may just be coming back, as may the API: for that nobody need ask. */
const usualComeBackMs = 30_000;
const apiPauseMs = 500;

/** Opens streams to a host's agent through the API, each a channel there. */
export class ApiChannels {
  readonly #host: ApiHost;
  readonly #api: ApiClient;
  #wasThere = false;

  constructor(host: ApiHost) {
    this.#host = host;
    this.#api = new ApiClient({ url: host.way.api, caCert: host.way.caCert, token: host.token });
  }

  /**
   * A stream to the agent. A host that is away is waited for as long as was asked for; whoever gives up leaves nothing
   * behind that could begin later. For a host that was there `signal` only cuts the waiting short: what may be under
   * way has to be found again to be cancelled.
   *
   * @throws HOST_AWAY, API_UNREACHABLE, API_AUTH, CANCELLED
   */
  open = async (): Promise<Duplex> => {
    const { onQueued, signal } = this.#host;
    const wasThere = this.#wasThere;
    const sinceMs = Date.now();
    const leftMs = (): number => Math.max(sinceMs + this.#patienceMs(wasThere) - Date.now(), 0);
    let isTold = wasThere;
    for (let waitMs = 0; ; waitMs = Math.min(leftMs(), longestWaitMs)) {
      const isCancelled = signal?.aborted === true;
      if (isCancelled && !wasThere) throw cancelled();
      const cut = isCancelled ? undefined : signal;
      try {
        return await this.#openOnce(waitMs, cut);
      } catch (thrown) {
        if (cut?.aborted === true) continue;
        const error = this.#failureOf(thrown);
        const mayPass = error.code === "HOST_AWAY" || error.code === "API_UNREACHABLE";
        if (!mayPass || leftMs() === 0) throw error;
        if (!isTold)
          onQueued?.(`queued: ${error.message} Waiting up to ${Math.round(this.#patienceMs(wasThere) / 1000)} s.`);
        isTold = true;
        if (error.code === "API_UNREACHABLE") await sleep(apiPauseMs);
      }
    }
  };

  #patienceMs(wasThere: boolean): number {
    const { waitForHostMs = 0, comeBackMs = usualComeBackMs, signal } = this.#host;
    if (!wasThere) return waitForHostMs;
    return signal?.aborted === true ? comeBackMs : Math.max(waitForHostMs, comeBackMs);
  }

  /** `cut` ends the waiting for a channel, not the channel. */
  async #openOnce(waitMs: number, cut: AbortSignal | undefined): Promise<Duplex> {
    const path = `/v1/hosts/${encodeURIComponent(this.#host.name)}/channels`;
    const timeoutMs = waitMs + 3 * heartbeatMs;
    const query = `?wait=${Math.round(waitMs)}`;
    const send: SendLines = (channel, number, lines) =>
      this.#api.json({ method: "POST", path: `${path}/${channel}`, body: { number, lines } });
    const waiting = new AbortController();
    const giveUp = (): void => {
      waiting.abort();
    };
    cut?.addEventListener("abort", giveUp);
    try {
      const { signal } = waiting;
      const answer = await this.#api.stream({ method: "POST", path: path + query, timeoutMs, signal });
      return await ChannelStream.begin(answer, this.#host.way.api, send, () => {
        this.#wasThere = true;
      });
    } finally {
      cut?.removeEventListener("abort", giveUp);
    }
  }

  #failureOf(thrown: unknown): IkomaError {
    if (thrown instanceof IkomaError) return thrown;
    if (!(thrown instanceof ApiRefusal)) throw thrown;
    const { status, problem, message } = thrown;
    if (problem?.code === "HOST_AWAY") return hostAway(this.#host.name, problem.lastSeenMs);
    if (status === 401 || status === 403) return new IkomaError("API_AUTH", message, { cause: thrown });
    const told = `The API at ${this.#host.way.api} refused a channel to ${this.#host.name}: ${message}`;
    return new IkomaError("API_UNREACHABLE", told, { cause: thrown });
  }
}

function hostAway(name: string, lastSeenMs: number | undefined): IkomaError {
  const seen =
    lastSeenMs === undefined
      ? "was never connected to the API."
      : `was last seen ${new Date(lastSeenMs).toISOString()} (${age(Date.now() - lastSeenMs)} ago).`;
  return new IkomaError("HOST_AWAY", `${name} ${seen}`, { details: { host: name, lastSeenMs: lastSeenMs ?? null } });
}

function age(ms: number): string {
  const seconds = Math.max(Math.round(ms / 1000), 0);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

function cancelled(): IkomaError {
  return new IkomaError("CANCELLED", "Cancelled while waiting for the host; nothing was begun there.");
}

/** Undefined where the first line is none of the API. */
function channelOf(line: string): string | undefined {
  try {
    return channelOpened.parse(JSON.parse(line)).channel;
  } catch {
    return undefined;
  }
}

type SendLines = (channel: string, number: number, lines: string[]) => Promise<unknown>;

/** A channel as a stream of whole lines both ways; ends when either side, or the way between, does. */
class ChannelStream extends Duplex {
  readonly #answer: IncomingMessage;
  readonly #channel: string;
  readonly #send: SendLines;
  #number = 0;

  private constructor(answer: IncomingMessage, channel: string, send: SendLines) {
    super({ decodeStrings: false });
    this.#answer = answer;
    this.#channel = channel;
    this.#send = send;
    for (const event of ["end", "close", "error"] as const) answer.on(event, () => this.destroy());
  }

  /**
   * @param onLine is called for all that the agent says
   * @throws API_UNREACHABLE
   */
  static async begin(
    answer: IncomingMessage,
    api: string,
    send: SendLines,
    onLine: () => void,
  ): Promise<ChannelStream> {
    const { promise, resolve, reject } = Promise.withResolvers<ChannelStream>();
    let stream: ChannelStream | undefined;
    const lines = new LineSplitter(maxMessageBytes, (line) => {
      if (line === "" || answer.destroyed) return;
      if (stream !== undefined) {
        onLine();
        stream.push(`${line}\n`);
        return;
      }
      const channel = channelOf(line);
      if (channel === undefined) {
        const hint = "Correct the address.";
        reject(new IkomaError("API_UNREACHABLE", `What answers at ${api} is no Bridge's API.`, { hint }));
        answer.destroy();
        return;
      }
      stream = new ChannelStream(answer, channel, send);
      resolve(stream);
    });
    // Empty lines come now and then, so silence means that the way is gone.
    answer.socket.setTimeout(3 * heartbeatMs, () => answer.destroy(new Error("nothing is heard any more")));
    const lost = (): void => {
      reject(new IkomaError("API_UNREACHABLE", "The API ended a channel before it was open."));
    };
    answer.on("data", (chunk: Buffer) => {
      if (!lines.push(chunk)) answer.destroy();
    });
    answer.once("end", lost).once("close", lost).once("error", lost);
    return promise;
  }

  override _read(): void {
    // What comes is bounded by what is asked for: nothing has to be held back.
  }

  override _writev(chunks: { chunk: unknown }[], done: (error?: Error | null) => void): void {
    const lines = chunks.flatMap(({ chunk }) => String(chunk).split("\n")).filter((line) => line !== "");
    this.#postAll(lines).then(() => {
      done();
    }, done);
  }

  override _write(chunk: unknown, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this._writev([{ chunk }], done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#answer.destroy();
    done(error);
  }

  async #postAll(lines: string[]): Promise<void> {
    while (lines.length > 0) {
      let bytes = 0;
      const fit = lines.findIndex((line, index) => index > 0 && (bytes += line.length) > frameBatchBytes);
      this.#number += 1;
      await this.#post(this.#number, lines.splice(0, fit === -1 ? lines.length : fit));
    }
  }

  /** Once more where the network faltered: a repeat is known by its number. */
  async #post(number: number, lines: string[]): Promise<void> {
    await this.#send(this.#channel, number, lines).catch((error: unknown) => {
      if (!(error instanceof IkomaError)) throw error;
      return this.#send(this.#channel, number, lines);
    });
  }
}
