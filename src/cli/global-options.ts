import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Argv } from "yargs";
import { IkomaError } from "../core/errors.ts";

/** What every command understands. Commands take these as the base of their own arguments. */
export interface GlobalArguments {
  /** Print one JSON envelope on stdout and events as JSON lines on stderr. */
  readonly json: boolean;
  /** False with `--no-color`. */
  readonly color: boolean;
  /** Answer questions with yes. */
  readonly yes: boolean;
  /** Name of the stack; undefined where neither the flag nor IKOMA_STACK names one. */
  readonly stack: string | undefined;
  /** The folder with Pulumi.yaml, absolute. */
  readonly cwd: string;
}

/** An option that takes one text; of several the last counts, as an alias or a script may have set it before. */
export const oneText = {
  type: "string",
  requiresArg: true,
  coerce: lastOf,
} as const;

/** The same for one that is always there. */
export const neededText = {
  ...oneText,
  demandOption: true,
  coerce: (given: string | string[]) => lastOf(given) ?? "",
} as const;

/** An option that takes one number; `--wait-for-lock 10m` must not mean the same as none. */
export function oneNumber(name: string, { least, most = Number.MAX_SAFE_INTEGER }: { least: number; most?: number }) {
  return {
    type: "number",
    requiresArg: true,
    coerce: (given: number | number[]): number => {
      const number = [given].flat().at(-1) ?? Number.NaN;
      if (number >= least && number <= most) return number;
      const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
      throw new IkomaError("USAGE", `--${name}: a number ${range}.`);
    },
  } as const;
}

function lastOf(given: string | string[] | undefined): string | undefined {
  return [given].flat().at(-1);
}

/** Declares the options of {@link GlobalArguments}. */
export function withGlobalOptions<T>(parser: Argv<T>): Argv<T & GlobalArguments> {
  return parser
    .option("stack", {
      ...oneText,
      alias: "s",
      // A variable of CI that nobody filled in is there, and empty.
      default: process.env.IKOMA_STACK === "" ? undefined : process.env.IKOMA_STACK,
      defaultDescription: "$IKOMA_STACK, or the only one",
      describe: "Stack (environment) to work on",
    })
    .option("cwd", {
      ...oneText,
      default: ".",
      defaultDescription: "this folder",
      describe: "Folder of Pulumi.yaml",
      coerce: (given: string | string[]) => existingFolder(lastOf(given) ?? "."),
    })
    .option("yes", { alias: "y", type: "boolean", default: false, describe: "Do not ask before changing something" })
    .option("json", { type: "boolean", default: false, describe: "Print JSON: the result on stdout, events on stderr" })
    .option("color", { type: "boolean", default: true, describe: "Colours; --no-color or NO_COLOR=1 switch them off" })
    .group(["stack", "cwd", "yes", "json", "color", "help", "version"], "Everywhere:");
}

function existingFolder(given: string): string {
  const folder = resolve(given);
  if (!(statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false)) {
    throw new IkomaError("USAGE", `--cwd: there is no folder ${folder}.`, {
      hint: "Name the folder that holds Pulumi.yaml.",
    });
  }
  return folder;
}
