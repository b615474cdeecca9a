import { toIkomaError } from "../../core/errors.ts";
import { errorCode } from "../../core/system-error.ts";
import { fileError } from "../file-error.ts";
import { printError } from "./envelope.ts";

/**
 * Says what becomes of the process when its output cannot be written any more. Nobody reads on (`ikoma status | head -1`):
 * no failure of the result, and none at all of the talk, for a deploy goes on unwatched. A disk has no room for the
 * result: a failure, or a script would take half of it for the whole.
 */
export function heedBrokenOutput(): void {
  process.stdout.on("error", (error: unknown) => {
    if (errorCode(error) === "EPIPE") process.exit(0);
    const failure = fileError(error) ?? toIkomaError(error);
    printError(failure, {});
    process.exit(failure.exitCode);
  });
  process.stderr.on("error", () => undefined);
}

/** Settles when what was written last has been taken or refused; a refusal ends the process. */
export async function outputWritten(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
