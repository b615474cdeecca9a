import { errorTable, IkomaError, toIkomaError } from "../core/errors.ts";
import { createCommandLine } from "./command-line.ts";
import { fileError } from "./file-error.ts";
import { heedBrokenOutput, outputWritten } from "./output/broken-output.ts";
import { printError } from "./output/envelope.ts";

/**
 * Runs one command line (without `node` and the script) and answers the process's exit code. Results and failures
 * have been printed when it returns; it does not exit by itself.
 */
export async function main(args: readonly string[]): Promise<number> {
  heedBrokenOutput();
  try {
    await createCommandLine(args).parseAsync();
    await outputWritten();
    // A command whose answer is no failure and still no plain "yes" (drift was found) sets it.
    return Number(process.exitCode ?? 0);
  } catch (thrown) {
    const error = await withCommandHelp(fileError(thrown) ?? toIkomaError(thrown), args);
    printError(error, { json: args.includes("--json"), color: !args.includes("--no-color") });
    return error.exitCode;
  }
}

/** Points to the help of the very command, or of what is above a word that is none. */
async function withCommandHelp(error: IkomaError, args: readonly string[]): Promise<IkomaError> {
  if (error.code !== "USAGE" || error.hint !== errorTable.USAGE.hint) return error;
  const isOption = args.findIndex((word) => !/^[a-z]+$/.test(word));
  const words = args.slice(0, isOption === -1 ? args.length : isOption);
  const [, meant] = /^Did you mean (.*)\?$/.exec(error.message) ?? [];
  if (meant === undefined) return withHint(error.message, words.slice(0, 2));
  // yargs tells what is near, not to what; before it may be options with their values.
  const { nearestName } = await import("../core/config/explain-issues.ts");
  const unknown = nearestName(
    meant,
    args.filter((word) => !word.startsWith("-")),
  );
  const name = unknown === undefined ? "" : ` "${unknown}"`;
  return withHint(
    `Unknown command${name}. ${error.message}`,
    words.slice(0, Math.max(words.indexOf(unknown ?? ""), 0)),
  );
}

function withHint(message: string, command: readonly string[]): IkomaError {
  return new IkomaError("USAGE", message, { hint: `See \`${["ikoma", ...command, "--help"].join(" ")}\`.` });
}
