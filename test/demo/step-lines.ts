import { formatDuration } from "../../src/cli/output/quantities.ts";

const titleWidth = 46;
const timeWidth = 8;

/** Where progress is written; `isTTY` decides whether a line may be rewritten. */
export interface StepSink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** One line a step on stderr: what is being done, then how long it took. */
export class StepLines {
  readonly #sink: StepSink;

  readonly #signal: AbortSignal;

  /** @param signal once it is given, a step that throws was stopped and has not failed */
  constructor(sink: StepSink, signal: AbortSignal) {
    this.#sink = sink;
    this.#signal = signal;
  }

  /** Runs a step; `note` makes the end of its line out of its result. */
  async run<T>(title: string, work: () => Promise<T>, note: (value: T) => string = () => ""): Promise<T> {
    const startedMs = performance.now();
    const name = title.padEnd(titleWidth);
    if (this.#sink.isTTY === true) this.#sink.write(`${name}…`);
    try {
      const value = await work();
      this.#end(name, startedMs, note(value));
      return value;
    } catch (error) {
      this.#end(name, startedMs, this.#signal.aborted ? "stopped" : "FAILED");
      throw error;
    }
  }

  /** A line of its own. */
  say(text: string): void {
    this.#sink.write(`${text}\n`);
  }

  #end(name: string, startedMs: number, note: string): void {
    const time = formatDuration(performance.now() - startedMs).padStart(timeWidth);
    const start = this.#sink.isTTY === true ? "\r\u001b[2K" : "";
    this.#sink.write(`${start}${`${name} ${time}  ${note}`.trimEnd()}\n`);
  }
}
