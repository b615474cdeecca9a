import { Recording } from "./recording.ts";
import { buildReport } from "./report-builder.ts";
import { createRequestSender } from "./request-sender.ts";
import type { RequestSender } from "./request-sender.ts";
import type { StreamOptions } from "./stream-options.ts";
import type { AllowedVersion, StreamReport } from "./stream-report.ts";

/** More than this many unanswered requests, and further ones count as failed without being sent. */
const MAX_IN_FLIGHT = 4_000;

/** Milliseconds since the epoch, finer than Date and never going back. */
export function epochNowMs(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * Sends requests at a constant rate, by the clock: request i is due at i / rate, whether or not the earlier ones were
 * answered. A closed loop would slow down with the server and so hide the very stall that it should measure.
 */
export class LoadStream {
  readonly #options: StreamOptions;
  readonly #sender: RequestSender;
  readonly #recording: Recording;
  readonly #total: number;
  readonly #startedMs = performance.now();
  readonly #finished: Promise<void>;
  #finish: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #due = 0;
  #notSent = 0;
  #inFlight = 0;
  #scheduling = true;
  #endedMs = 0;

  /** Starts at once. */
  constructor(options: StreamOptions) {
    this.#options = options;
    this.#total = Math.max(1, Math.round((options.ratePerSecond * options.durationMs) / 1000));
    this.#sender = createRequestSender(options);
    this.#recording = new Recording(this.#total);
    this.#finished = new Promise((resolve) => (this.#finish = resolve));
    this.#tick();
  }

  /** Resolves once the last request was sent and every request has ended. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  /** Sends no more, waits for the requests in flight (at most the time-out), and sums up. */
  async stop(allowed?: readonly AllowedVersion[]): Promise<StreamReport> {
    this.#endScheduling();
    await this.finished;
    const startedAtMs = performance.timeOrigin + this.#startedMs;
    return buildReport(
      {
        options: this.#options,
        recording: this.#recording,
        startedAtMs,
        endedAtMs: startedAtMs + this.#endedMs,
        notSent: this.#notSent,
      },
      allowed,
    );
  }

  #elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  #dueMs(index: number): number {
    return (index * 1000) / this.#options.ratePerSecond;
  }

  #tick(): void {
    const nowMs = this.#elapsedMs();
    while (this.#due < this.#total && this.#dueMs(this.#due) <= nowMs) {
      this.#sendOne(this.#dueMs(this.#due));
      this.#due += 1;
    }
    if (this.#due >= this.#total) {
      this.#endScheduling();
      return;
    }
    const waitMs = Math.max(1, this.#dueMs(this.#due) - this.#elapsedMs());
    this.#timer = setTimeout(() => {
      this.#tick();
    }, waitMs);
  }

  #sendOne(dueMs: number): void {
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      this.#notSent += 1;
      return;
    }
    const sequence = this.#recording.sent(dueMs, this.#elapsedMs());
    this.#inFlight += 1;
    this.#sender.send(sequence, (outcome) => {
      this.#recording.ended(sequence, this.#elapsedMs(), outcome);
      this.#inFlight -= 1;
      this.#settleIfIdle();
    });
  }

  #endScheduling(): void {
    if (!this.#scheduling) return;
    this.#scheduling = false;
    clearTimeout(this.#timer);
    this.#settleIfIdle();
  }

  #settleIfIdle(): void {
    if (this.#scheduling || this.#inFlight > 0) return;
    this.#endedMs ||= this.#elapsedMs();
    this.#sender.close();
    this.#finish();
  }
}
