import { setTimeout as sleep } from "node:timers/promises";
import { IkomaError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";

export interface PersistenceOptions {
  /** How long to go on without any progress, in ms. */
  readonly forMs: number;
  /** Failures that may pass by themselves. @default host or agent away */
  readonly passing?: readonly ErrorCode[];
}

const firstPauseMs = 100;
const longestPauseMs = 2_000;
const hostIsAway: readonly ErrorCode[] = [
  "AGENT_CONNECTION_LOST",
  "AGENT_MISSING",
  "HOST_UNREACHABLE",
  "HOST_AWAY",
  "API_UNREACHABLE",
];
/** Told only after it was waited for already. */
const waitedFor: readonly ErrorCode[] = ["HOST_AWAY", "API_UNREACHABLE"];

/** Repeats what can be repeated through losses of the connection, with growing pauses, as long as it moves on now and then. */
export class Persistence {
  readonly #forMs: number;
  readonly #passing: readonly ErrorCode[];
  #lostSinceMs: number | undefined;
  #pauseMs = firstPauseMs;

  constructor({ forMs, passing = hostIsAway }: PersistenceOptions) {
    this.#forMs = forMs;
    this.#passing = passing;
  }

  /** Something new was heard: patience starts anew. */
  progress(): void {
    this.#lostSinceMs = undefined;
    this.#pauseMs = firstPauseMs;
  }

  /** @throws a failure that does not pass as it is; AGENT_CONNECTION_LOST, with the last failure as its cause, when patience is over */
  async run<T>(attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      const startedMs = Date.now();
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof IkomaError) || !this.#passing.includes(error.code)) throw error;
        const isWaitedFor = waitedFor.includes(error.code);
        // An attempt that held for long was a connection that worked.
        if (!isWaitedFor && Date.now() - startedMs > this.#forMs) this.progress();
        this.#lostSinceMs ??= isWaitedFor ? startedMs : Date.now();
        await this.#pauseAfter(error, this.#lostSinceMs);
      }
    }
  }

  async #pauseAfter(error: IkomaError, sinceMs: number): Promise<void> {
    const waitedMs = Date.now() - sinceMs;
    if (waitedMs + this.#pauseMs > this.#forMs) {
      const message = `The agent cannot be reached any more, tried for ${Math.round(this.#forMs / 1000)} s: ${error.message}`;
      throw new IkomaError("AGENT_CONNECTION_LOST", message, { cause: error });
    }
    await sleep(this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
  }
}
