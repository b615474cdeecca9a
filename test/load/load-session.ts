import { epochNowMs, LoadStream } from "./load-stream.ts";
import type { StreamOptions } from "./stream-options.ts";
import type { AllowedVersion, LoadReport } from "./stream-report.ts";

/** Several streams that run together, with the marks that were set meanwhile. */
export class LoadSession {
  readonly #streams: LoadStream[];
  readonly #marks: LoadReport["marks"] = [];

  /** Starts all streams at once. */
  constructor(streams: readonly StreamOptions[]) {
    this.#streams = streams.map((options) => new LoadStream(options));
  }

  /** Notes the present instant (milliseconds since the epoch) under a label, and returns it. */
  mark(label: string): number {
    const atMs = epochNowMs();
    this.#marks.push({ label, atMs });
    return atMs;
  }

  /** Resolves when every stream has run its duration. */
  async finished(): Promise<void> {
    await Promise.all(this.#streams.map((stream) => stream.finished));
  }

  /** Stops all streams and sums up; `allowed` says which version may answer when. */
  async stop(allowed?: readonly AllowedVersion[]): Promise<LoadReport> {
    const streams = await Promise.all(this.#streams.map((stream) => stream.stop(allowed)));
    return { marks: this.#marks, streams };
  }
}
