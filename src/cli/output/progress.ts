import { JsonProgress } from "./json-progress.ts";
import { LiveProgress, type Terminal } from "./live-progress.ts";
import { PlainProgress } from "./plain-progress.ts";
import type { OutputArguments, TextSink } from "./envelope.ts";
import type { Progress } from "./steps.ts";
import { isCi } from "../ci.ts";

export type { Progress } from "./steps.ts";

/** A tree that is redrawn on a terminal, lines with their time where stderr is piped, JSON lines with `--json`. */
export function createProgress(
  argv: OutputArguments,
  stderr: TextSink & Partial<Terminal> = process.stderr,
  env: NodeJS.ProcessEnv = process.env,
): Progress {
  if (argv.json === true) return new JsonProgress(stderr);
  const isLive = stderr.isTTY === true && env.TERM !== "dumb" && !isCi(env);
  return isLive ? new LiveProgress(stderr, argv) : new PlainProgress(stderr);
}
