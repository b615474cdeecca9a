import type { IkomaError } from "../../core/errors.ts";
import { colorsFor, type ColorTarget } from "./colors.ts";
import { renderError } from "./error-view.ts";

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

/** Prints a failure: for people on stderr, with `--json` its envelope on stdout, because there it is the command's one result. */
export function printError(
  error: IkomaError,
  argv: OutputArguments,
  streams: { stdout: TextSink; stderr: TextSink } = process,
): void {
  if (argv.json === true) streams.stdout.write(`${JSON.stringify(errorEnvelope(error))}\n`);
  else streams.stderr.write(renderError(error, colorsFor(streams.stderr, argv)));
}
