import { buffer } from "node:stream/consumers";
import { IkomaError } from "../../../core/errors.ts";
import { askHidden } from "../../hidden-answer.ts";

const maxBytes = 64 * 1024;

/** Where a value comes from. */
interface ValueSource {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly ask: (question: string) => Promise<string | undefined>;
}

/**
 * A secret's value: what comes on standard input, without the line break at its end, or what somebody types, unseen and
 * twice. Never from a command line, which every user of the machine can read.
 *
 * @throws USAGE for nothing, for what no variable can hold, for two answers that differ
 */
export async function givenValue(
  name: string,
  { stdin, ask }: ValueSource = { stdin: process.stdin, ask: askHidden },
): Promise<string> {
  const value = stdin.isTTY === true ? await typedTwice(name, ask) : decoded(await buffer(stdin));
  if (value === undefined || value === "")
    throw new IkomaError("USAGE", `There is no value for ${name}.`, {
      hint: "Pipe it into the command, or type it when you are asked.",
    });
  if (value.includes("\0")) throw new IkomaError("USAGE", "A value with a NUL in it cannot be a variable's.");
  return value;
}

async function typedTwice(name: string, ask: ValueSource["ask"]): Promise<string | undefined> {
  const first = await ask(`Value of ${name}: `);
  if (first === undefined || first === (await ask("Again: "))) return first;
  throw new IkomaError("USAGE", "The two values are not the same; nothing was set.");
}

function decoded(bytes: Buffer): string {
  if (bytes.length > maxBytes) throw new IkomaError("USAGE", `The value has more than ${maxBytes / 1024} KiB.`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new IkomaError("USAGE", "The value is no text (UTF-8).", { hint: "Encode it, as base64.", cause });
  }
}
