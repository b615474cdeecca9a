import { jest } from "@jest/globals";
import yargs, { type Argv } from "yargs";
import { withGlobalOptions, type GlobalArguments } from "../../src/cli/global-options.ts";

/** What a command line printed. */
export interface Printed {
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command line of one group as the CLI does.
 *
 * @param mount adds the group's commands
 * @throws what the command throws, or what yargs does not understand
 */
export async function runGroup(
  name: string,
  mount: (group: Argv<GlobalArguments>) => Argv<GlobalArguments>,
  words: readonly string[],
): Promise<Printed> {
  const printed = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    jest.spyOn(process[stream], "write").mockImplementation((text) => {
      printed[stream] += String(text);
      return true;
    });
  }
  try {
    await withGlobalOptions(yargs([...words]))
      .command(`${name} <command>`, "", mount)
      .version("9.9.9")
      .strict()
      .exitProcess(false)
      .parserConfiguration({ "duplicate-arguments-array": false })
      .fail((message, error) => {
        throw (error as Error | undefined) ?? new Error(message);
      })
      .parseAsync();
  } finally {
    jest.restoreAllMocks();
  }
  return printed;
}
