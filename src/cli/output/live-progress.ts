import { colorsFor, type Colors } from "./colors.ts";
import type { OutputArguments, TextSink } from "./envelope.ts";
import type { Progress, StepOutcome, StepStart } from "./steps.ts";
import { formatDuration } from "./quantities.ts";

/** What the tree needs to know of its terminal. */
export interface Terminal {
  readonly columns?: number;
  readonly rows?: number;
}

interface LiveStep {
  readonly title: string;
  readonly depth: number;
  readonly parts: LiveStep[];
  readonly startedMs: number;
  note: string | undefined;
  outcome: StepOutcome | undefined;
  endedMs: number;
}

/** Time between two pictures of the spinner, in ms. */
const frameMs = 80;
const spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const escape = "\u001B[";
const hideCursor = `${escape}?25l`;
const showCursor = `${escape}?25h`;

/**
 * The steps as a tree on a terminal, redrawn in place: cursor up, clear to the end, write again (the way of
 * log-update). listr2 was the alternative; it runs task functions that it is given, while these steps begin and end
 * by events of the engine and of hosts, several at once and not known beforehand.
 */
export class LiveProgress implements Progress {
  readonly #sink: TextSink & Partial<Terminal>;
  readonly #colors: Colors;
  readonly #steps = new Map<string, LiveStep>();
  readonly #roots: LiveStep[] = [];
  #timer: NodeJS.Timeout | undefined;
  #drawnLines = 0;
  #frame = 0;

  constructor(sink: TextSink & Partial<Terminal>, argv: OutputArguments = {}) {
    this.#sink = sink;
    this.#colors = colorsFor(sink, argv);
  }

  begin({ id, title, parent }: StepStart): void {
    const above = parent === undefined ? undefined : this.#steps.get(parent);
    const depth = above === undefined ? 0 : above.depth + 1;
    const step = {
      title,
      depth,
      parts: [],
      startedMs: performance.now(),
      note: undefined,
      outcome: undefined,
      endedMs: 0,
    };
    this.#steps.set(id, step);
    (above?.parts ?? this.#roots).push(step);
    this.#keepDrawing();
  }

  note(id: string, text: string): void {
    const step = this.#steps.get(id);
    if (step !== undefined) step.note = text;
  }

  end(id: string, outcome: StepOutcome, text?: string): void {
    const step = this.#steps.get(id);
    if (step === undefined) return;
    step.outcome = outcome;
    step.note = text;
    step.endedMs = performance.now();
  }

  message(text: string, severity: "info" | "warning" = "info"): void {
    const marked = severity === "warning" ? `${this.#colors.yellow("warning")} ${text}` : text;
    this.#sink.write(`${this.#erase()}${marked}\n`);
    if (this.#timer !== undefined) this.#draw();
  }

  close(): void {
    this.#stop();
    if (this.#steps.size === 0) return;
    this.#sink.write(`${this.#erase()}${this.#picture(Number.POSITIVE_INFINITY)}${showCursor}`);
    this.#steps.clear();
    this.#roots.length = 0;
  }

  #keepDrawing(): void {
    if (this.#timer !== undefined) return;
    this.#sink.write(hideCursor);
    // A crash must not leave the shell without a cursor.
    process.once("exit", this.#restoreCursor);
    this.#timer = setInterval(() => {
      this.#frame += 1;
      this.#draw();
    }, frameMs);
    // A picture is no reason to stay alive.
    this.#timer.unref();
    this.#draw();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    process.off("exit", this.#restoreCursor);
  }

  readonly #restoreCursor = (): void => {
    this.#sink.write(showCursor);
  };

  #draw(): void {
    const before = this.#erase();
    // One row stays free: a terminal that scrolls would leave copies of the first lines behind.
    const picture = this.#picture(sizeOr(24, this.#sink.rows) - 1);
    this.#drawnLines = picture.split("\n").length - 1;
    this.#sink.write(before + picture);
  }

  #erase(): string {
    const up = this.#drawnLines === 0 ? "" : `${escape}${this.#drawnLines}A`;
    this.#drawnLines = 0;
    return `\r${up}${escape}J`;
  }

  #picture(mostLines: number): string {
    const lines = this.#roots.flatMap(withParts);
    // Where not all fit, those that still run are the ones to see.
    const shown =
      lines.length <= mostLines ? lines : lines.filter((step) => step.outcome === undefined).slice(-mostLines);
    return shown.map((step) => `${this.#line(step)}\n`).join("");
  }

  #line(step: LiveStep): string {
    const took = formatDuration((step.outcome === undefined ? performance.now() : step.endedMs) - step.startedMs);
    const note = step.note === undefined ? "" : `  ${step.note}`;
    const room = sizeOr(80, this.#sink.columns) - step.depth * 2 - took.length - 5;
    const text = cut(`${step.title}${note}`.replaceAll("\n", " "), Math.max(10, room));
    return `${"  ".repeat(step.depth)}${this.#mark(step)} ${text} ${this.#colors.dim(took)}`;
  }

  #mark({ outcome }: LiveStep): string {
    switch (outcome) {
      case undefined:
        return this.#colors.cyan(spinner[this.#frame % spinner.length] ?? "-");
      case "done":
        return this.#colors.green("✓");
      case "unchanged":
        return this.#colors.dim("=");
      case "failed":
        return this.#colors.red("✗");
    }
  }
}

function withParts(step: LiveStep): LiveStep[] {
  return [step, ...step.parts.flatMap(withParts)];
}

/** Some pseudo-terminals have no size: they say 0. */
function sizeOr(usual: number, size: number | undefined): number {
  return size === undefined || size === 0 ? usual : size;
}

function cut(text: string, width: number): string {
  const letters = Array.from(text);
  return letters.length <= width ? text : `${letters.slice(0, width - 1).join("")}…`;
}
