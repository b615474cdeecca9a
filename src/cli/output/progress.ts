import { JsonProgress } from "./json-progress.ts";
import { LiveProgress, type Terminal } from "./live-progress.ts";
import { PlainProgress } from "./plain-progress.ts";
import type { OutputArguments, TextSink } from "./envelope.ts";

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

/** A tree that is redrawn on a terminal, lines with their time where stderr is piped, JSON lines with `--json`. */
export function createProgress(
  argv: OutputArguments,
  stderr: TextSink & Partial<Terminal> = process.stderr,
  env: NodeJS.ProcessEnv = process.env,
): Progress {
  if (argv.json === true) return new JsonProgress(stderr);
  const isLive = stderr.isTTY === true && env.TERM !== "dumb" && !isSet(env.CI);
  return isLive ? new LiveProgress(stderr, argv) : new PlainProgress(stderr);
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "false" && value !== "0";
}
