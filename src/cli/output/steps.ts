/** How a step ended. */
export type StepOutcome = "done" | "unchanged" | "failed";

/** A step that begins. */
export interface StepStart {
  readonly id: string;
  readonly title: string;
  /** Id of the step that it is a part of. */
  readonly parent?: string;
}

/**
 * What a command tells while it works, always on stderr. Steps may run at the same time. Notes say where a step
 * is, the last one counts; messages stay.
 */
export interface Progress {
  begin(step: StepStart): void;
  note(id: string, text: string): void;
  end(id: string, outcome: StepOutcome, text?: string): void;
  message(text: string, severity?: "info" | "warning"): void;
  /** Leaves the last state standing, for other output below it; steps that begin later start anew. */
  close(): void;
}
