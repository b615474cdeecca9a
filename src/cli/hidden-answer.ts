import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { IkomaError } from "../core/errors.ts";

/** Streams of a terminal, where there is one. */
interface HiddenStreams {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/**
 * Asks for something that must not be seen, on stderr; undefined where nobody is there to be asked, or nothing is typed.
 *
 * @throws CANCELLED by Ctrl-C and Ctrl-D
 */
export async function askHidden(
  question: string,
  { input, output }: HiddenStreams = { input: process.stdin, output: process.stderr },
): Promise<string | undefined> {
  if (input.isTTY !== true || output.isTTY !== true) return undefined;
  output.write(question);
  // readline echoes to its output: this one swallows what is typed.
  const nowhere = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  const terminal = createInterface({ input, output: nowhere, terminal: true });
  const cancelled = new Promise<never>((_, reject) => {
    for (const event of ["SIGINT", "close"] as const)
      terminal.once(event, () => {
        reject(new IkomaError("CANCELLED", "Nothing was changed."));
      });
  });
  try {
    const answer = await Promise.race([terminal.question(""), cancelled]);
    return answer === "" ? undefined : answer;
  } finally {
    cancelled.catch(() => undefined);
    terminal.close();
    output.write("\n");
  }
}
