import { apiVersion, type TextSink } from "./envelope.ts";
import type { Progress, StepOutcome, StepStart } from "./steps.ts";

/**
 * One JSON document a line on stderr: `{apiVersion, kind: "Event", time, event, …}`. stdout keeps to the one
 * envelope of the result, so that it can be parsed whole.
 */
export class JsonProgress implements Progress {
  readonly #sink: TextSink;

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  begin({ id, title, parent }: StepStart): void {
    this.#emit("begin", { id, title, parent });
  }

  note(id: string, text: string): void {
    this.#emit("note", { id, text });
  }

  end(id: string, outcome: StepOutcome, text?: string): void {
    this.#emit("end", { id, outcome, text });
  }

  message(text: string, severity: "info" | "warning" = "info"): void {
    this.#emit("message", { severity, text });
  }

  close(): void {
    // Every event was written when it came.
  }

  #emit(event: string, fields: Record<string, unknown>): void {
    const time = new Date().toISOString();
    this.#sink.write(`${JSON.stringify({ apiVersion, kind: "Event", time, event, ...fields })}\n`);
  }
}
