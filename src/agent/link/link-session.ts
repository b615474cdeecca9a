import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { IkomaError } from "../../core/errors.ts";
import { ApiRefusal, type ApiClient, type ApiRequest } from "../../core/link/api-client.ts";
import { FrameInbox } from "../../core/link/frame-inbox.ts";
import { FrameQueue } from "../../core/link/frame-queue.ts";
import { eventReceipt, frames, graceMs, holdMs } from "../../core/link/link-protocol.ts";
import type { Outbox } from "../ledger/outbox.ts";
import { ChannelSockets } from "./channel-sockets.ts";
import { Wake } from "./wake.ts";

export interface SessionParts {
  readonly api: ApiClient;
  /** The agent's own. */
  readonly socketPath: string;
  readonly outbox: Outbox;
  readonly log: Logger;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** For an answer of the API that should have come by then. */
const lateMs = 10_000;
const firstPauseMs = 100;
const longestPauseMs = 1_000;
/** For an API that does not take events. */
const longestEventPauseMs = 30_000;
/** What an operation tells within so short a time goes in one chunk. */
const collectMs = 100;

/** One session of the agent with the API: takes calls, brings answers, tells events, until one of them cannot go on. */
export class LinkSession {
  readonly #id: string;
  readonly #parts: SessionParts;
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  readonly #answers = new FrameQueue();
  readonly #answerWake = new Wake();
  readonly #eventWake = new Wake();
  readonly #channels: ChannelSockets;

  constructor(id: string, parts: SessionParts) {
    this.#id = id;
    this.#parts = parts;
    this.#signal = AbortSignal.any([parts.signal, this.#over.signal]);
    this.#channels = new ChannelSockets(parts.socketPath, this.#answers, () => {
      this.#answerWake.set();
    });
  }

  /** @throws why it is over: ApiRefusal, API_UNREACHABLE; resolves where it was ended from here */
  async run(): Promise<void> {
    this.#parts.outbox.whenAdded(() => {
      this.#eventWake.set();
    });
    try {
      await Promise.all([this.#takeCalls(), this.#bringAnswers(), this.#tellEvents()]);
    } catch (error) {
      if (!this.#parts.signal.aborted) throw error;
    } finally {
      this.#over.abort();
      this.#channels.close();
    }
  }

  async #takeCalls(): Promise<void> {
    const inbox = new FrameInbox();
    while (!this.#signal.aborted) {
      const path = `/v1/agent/sessions/${this.#id}/calls?after=${inbox.received}`;
      const answer = await this.#ask({ method: "GET", path, timeoutMs: holdMs + lateMs });
      for (const frame of inbox.accept(frames.parse(answer)) ?? this.#missing()) this.#channels.take(frame);
    }
  }

  #missing(): never {
    throw new IkomaError("INTERNAL", "The API has left out calls.");
  }

  async #bringAnswers(): Promise<void> {
    const path = `/v1/agent/sessions/${this.#id}/answers`;
    let acknowledged = 0;
    while (!this.#signal.aborted) {
      if (!this.#answers.hasMore(acknowledged)) await this.#answerWake.wait(this.#signal);
      const next = this.#answers.take(acknowledged);
      if (next.frames.length === 0) continue;
      await this.#ask({ method: "POST", path, body: next });
      acknowledged = next.first + next.frames.length - 1;
    }
  }

  async #tellEvents(): Promise<void> {
    const { outbox } = this.#parts;
    let pauseMs = longestPauseMs;
    while (!this.#signal.aborted) {
      const chunk = outbox.chunk();
      if (chunk === undefined) {
        await this.#eventWake.wait(this.#signal);
        await sleep(collectMs);
        continue;
      }
      try {
        const answer = await this.#ask({ method: "POST", path: "/v1/agent/events", body: chunk });
        outbox.settle(eventReceipt.parse(answer).received);
        pauseMs = longestPauseMs;
      } catch (error) {
        if (!isNotTaken(error)) throw error;
        this.#parts.log.warn({ reason: error.message }, "the API does not take events of this host; they wait");
        await sleep(pauseMs, undefined, { signal: this.#signal });
        pauseMs = Math.min(pauseMs * 2, longestEventPauseMs);
      }
    }
  }

  /** The network may falter: as long as the API may still take us for connected, the same is asked again. */
  async #ask(request: ApiRequest): Promise<unknown> {
    let sinceMs: number | undefined;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        return await this.#parts.api.json({ ...request, signal: this.#signal });
      } catch (error) {
        this.#signal.throwIfAborted();
        sinceMs ??= performance.now();
        const isPassing = error instanceof IkomaError && error.code === "API_UNREACHABLE";
        if (!isPassing || performance.now() - sinceMs > graceMs) throw error;
        await sleep(pauseMs, undefined, { signal: this.#signal });
      }
    }
  }
}

/** Its disk is full, or it is older than this agent: no reason to take no calls either. */
function isNotTaken(error: unknown): error is ApiRefusal {
  return error instanceof ApiRefusal && (error.status === 400 || error.status >= 500);
}
