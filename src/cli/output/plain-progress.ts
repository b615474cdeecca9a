import type { TextSink } from "./envelope.ts";
import type { Progress, StepOutcome, StepStart } from "./steps.ts";
import { formatDuration } from "./quantities.ts";

interface PlainStep {
  readonly title: string;
  readonly startedMs: number;
}

/** One line for each thing that happens, with its time: what a log of CI can be read by. */
export class PlainProgress implements Progress {
  readonly #sink: TextSink;
  readonly #steps = new Map<string, PlainStep>();

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  begin({ id, title, parent }: StepStart): void {
    const above = parent === undefined ? undefined : this.#steps.get(parent);
    const whole = above === undefined ? title : `${above.title} / ${title}`;
    this.#steps.set(id, { title: whole, startedMs: performance.now() });
    this.#line(whole);
  }

  note(id: string, text: string): void {
    this.#line(`${this.#steps.get(id)?.title ?? id}: ${text}`);
  }

  end(id: string, outcome: StepOutcome, text?: string): void {
    const step = this.#steps.get(id);
    if (step === undefined) return;
    this.#steps.delete(id);
    const took = formatDuration(performance.now() - step.startedMs);
    this.#line(`${step.title}: ${outcome}${text === undefined ? "" : `, ${text}`} (${took})`);
  }

  message(text: string, severity: "info" | "warning" = "info"): void {
    for (const line of text.split("\n")) this.#line(severity === "warning" ? `warning: ${line}` : line);
  }

  close(): void {
    this.#steps.clear();
  }

  #line(text: string): void {
    this.#sink.write(`${new Date().toISOString().replace(/\.\d+Z$/, "Z")} ${text}\n`);
  }
}
