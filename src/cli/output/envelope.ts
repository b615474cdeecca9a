import type { IkomaError } from "../../core/errors.ts";
import { colorsFor, type ColorTarget } from "./colors.ts";

/** Version of the envelope and of every `data` in it. New fields may come; none goes or changes its meaning within v1. */
export const apiVersion = "ikoma.dev/v1";

/** Of the parsed command line, what decides how to print. */
export interface OutputArguments {
  readonly json?: boolean | undefined;
  readonly color?: boolean | undefined;
}

/** What a command found out: for programs (`kind`, `data`) and for people (`human`). */
export interface ResultView {
  /** Name of the shape of `data`, in UpperCamelCase (`HostStatus`). */
  readonly kind: string;
  /** Plain JSON; never a secret. */
  readonly data: unknown;
  /** The same as text; a function where making it costs something. */
  readonly human: string | (() => string);
}

/** Where text goes: a stream of `process`, or a stand-in. */
export interface TextSink extends ColorTarget {
  write(text: string): unknown;
}

/**
 * Prints a command's one result on stdout: the text for people, or with `--json` the envelope
 * `{apiVersion, kind, data}` on one line. All talk (progress, warnings) goes to stderr instead.
 */
export function printResult(result: ResultView, argv: OutputArguments, stdout: TextSink = process.stdout): void {
  if (argv.json === true) {
    stdout.write(`${JSON.stringify({ apiVersion, kind: result.kind, data: result.data })}\n`);
    return;
  }
  const text = typeof result.human === "function" ? result.human() : result.human;
  if (text !== "") stdout.write(text.endsWith("\n") ? text : `${text}\n`);
}

/** The envelope of a failure, as `--json` prints it on stdout. */
export function errorEnvelope(error: IkomaError): Record<string, unknown> {
  const { code, message, hint, details } = error;
  return { apiVersion, kind: "Error", error: { code, message, hint, details } };
}

/**
 * Prints a failure: for people on stderr (code, message, the log lines and causes in its details, the next step),
 * with `--json` its envelope on stdout, because there it is the command's one result.
 */
export function printError(
  error: IkomaError,
  argv: OutputArguments,
  streams: { stdout: TextSink; stderr: TextSink } = process,
): void {
  if (argv.json === true) streams.stdout.write(`${JSON.stringify(errorEnvelope(error))}\n`);
  else streams.stderr.write(describeError(error, colorsFor(streams.stderr, argv)));
}

function describeError(error: IkomaError, colors: ReturnType<typeof colorsFor>): string {
  const lines = [`${colors.red(colors.bold("error"))} ${colors.dim(error.code)} ${error.message}`];
  for (const line of logLines(error.details)) lines.push(colors.dim(`  | ${line}`));
  if (error.cause instanceof Error && !error.message.includes(error.cause.message)) {
    lines.push(`  cause: ${error.cause.message}`);
  }
  if (error.code === "INTERNAL" && process.env.IKOMA_DEBUG === "1") lines.push(debugTrace(error));
  lines.push(`  ${colors.cyan("next")}: ${error.hint}`);
  return `${lines.join("\n")}\n`;
}

/** Agent and provider put the last lines of a container's log in `details.log`. */
function logLines(details: Record<string, unknown>): string[] {
  const log = details.log;
  if (typeof log === "string") return log.trimEnd().split("\n");
  return Array.isArray(log) ? log.filter((line) => typeof line === "string") : [];
}

function debugTrace(error: IkomaError): string {
  const origin = error.cause instanceof Error ? error.cause : error;
  return origin.stack ?? origin.message;
}
