import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { IkomaError } from "../../core/errors.ts";
import { ApiRefusal } from "../../core/link/api-client.ts";
import { sessionAnswer, type SessionRequest } from "../../core/link/link-protocol.ts";
import { LinkSession, type SessionParts } from "./link-session.ts";

export interface LinkParts extends Omit<SessionParts, "signal"> {
  readonly agentVersion: string;
  /** Tells people of what keeps it from working. */
  readonly note: (message: string) => void;
}

const firstPauseMs = 250;
const longestPauseMs = 5_000;
/** For what only a person can change. */
const refusedPauseMs = 30_000;

/** The agent's way out to the Bridge's API: one session after another, for as long as the agent works. */
export class PullLink {
  readonly #parts: LinkParts;
  readonly #stopped = new AbortController();
  readonly #instance = randomUUID();
  #yields = false;
  #pauseMs = firstPauseMs;
  #noted = "";

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  /** Never throws. */
  async run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const pauseMs = await this.#session().catch((error: unknown) => this.#afterFailure(error));
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  stop(): void {
    this.#stopped.abort();
    void this.#parts.api.close();
  }

  /** One session from its begin to its end. Gives the pause until the next, in ms. */
  async #session(): Promise<number> {
    const { api, outbox, log, agentVersion } = this.#parts;
    const { stream } = outbox;
    const body: SessionRequest = { instance: this.#instance, agentVersion, stream, yields: this.#yields };
    const { signal } = this.#stopped;
    const answer = await api.json({ method: "POST", path: "/v1/agent/sessions", body, signal });
    const { session, received } = sessionAnswer.parse(answer);
    if (outbox.settle(received)) {
      log.warn("the API has events of this host that its ledger does not know; events are numbered anew");
    }
    log.info("connected to the API");
    this.#pauseMs = firstPauseMs;
    this.#noted = "";
    this.#yields = false;
    await new LinkSession(session, { ...this.#parts, signal }).run();
    return 0;
  }

  #afterFailure(error: unknown): number {
    if (this.#stopped.signal.aborted) return 0;
    if (error instanceof IkomaError && error.code === "API_AUTH") return this.#tell(error.message, error);
    if (error instanceof ApiRefusal) {
      // The API was restarted, or took us for gone.
      if (error.status === 410) return this.#grown(0);
      if (error.status === 409) {
        this.#yields = true;
        return this.#tell("another agent with this host's token is connected to the API: this one stays away", error);
      }
      if (error.status === 401 || error.status === 403) return this.#tell("the API refuses this host's token", error);
    }
    this.#parts.log.info({ reason: error instanceof Error ? error.message : String(error) }, "the API is away");
    return this.#grown(this.#pauseMs);
  }

  #grown(pauseMs: number): number {
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
    // Not all agents of an API that comes back at the same moment.
    return pauseMs * (0.75 + Math.random() / 4);
  }

  /** Once for each reason. */
  #tell(message: string, error: Error): number {
    this.#parts.log.warn({ reason: error.message }, message);
    if (this.#noted !== message) this.#parts.note(message);
    this.#noted = message;
    return refusedPauseMs;
  }
}
