import { createInterface } from "node:readline/promises";
import { IkomaError } from "../core/errors.ts";
import { isCi } from "./ci.ts";

/** Of the command line, what decides whether a question is asked. */
export interface ConfirmArguments {
  readonly yes: boolean;
  readonly json: boolean;
}

/** What answers could come from. */
export interface Terminals {
  readonly stdin: { readonly isTTY?: boolean };
  readonly stderr: { readonly isTTY?: boolean };
  readonly env: NodeJS.ProcessEnv;
}

const deployConsent = {
  message: "This changes a server, and nobody is there to be asked.",
  hint: "Add --yes to go on without being asked; `ikoma deploy plan` shows what would happen.",
};

/**
 * Refuses, before any work is done, to go on where a question could not be answered: no terminal, `--json`, or CI.
 *
 * @throws USAGE naming the flag
 */
export function requireConsent(
  { yes, json }: ConfirmArguments,
  { stdin, stderr, env }: Terminals = process,
  { message, hint } = deployConsent,
): void {
  const canAsk = stdin.isTTY === true && stderr.isTTY === true && !json && !isCi(env);
  if (yes || canAsk) return;
  throw new IkomaError("USAGE", message, { hint });
}

/**
 * Asks a yes-or-no question on stderr.
 *
 * @throws CANCELLED unless the answer is yes
 */
export async function confirm(question: string, signal: AbortSignal): Promise<void> {
  if (!/^y(es)?$/i.test(await ask(`${question} [y/N] `, signal))) throw declined();
}

/**
 * Has a name typed before something is deleted that no command brings back, or something else of that weight.
 *
 * @throws CANCELLED where anything else is typed
 */
export async function confirmByName(
  name: string,
  signal: AbortSignal,
  { purpose = "delete this for good", streams }: { purpose?: string; streams?: Streams } = {},
): Promise<void> {
  if ((await ask(`Type the name ${name} to ${purpose}: `, signal, streams)) !== name) throw declined();
}

/** Where an answer comes from, and where questions go. */
interface Streams {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

async function ask(
  question: string,
  signal: AbortSignal,
  streams: Streams = { input: process.stdin, output: process.stderr },
): Promise<string> {
  const terminal = createInterface(streams);
  let isAnswered = false;
  const cancelled = new Promise<never>((_, reject) => {
    const refuse = (): void => {
      // What follows begins below the unanswered question.
      if (!isAnswered) streams.output.write("\n");
      isAnswered = true;
      reject(declined());
    };
    // On a terminal readline takes Ctrl-C before the process gets a signal of it; Ctrl-D closes.
    terminal.once("SIGINT", refuse);
    terminal.once("close", refuse);
    signal.addEventListener("abort", refuse, { once: true });
  });
  try {
    const answer = await Promise.race([terminal.question(question), cancelled]);
    isAnswered = true;
    return answer.trim();
  } finally {
    terminal.close();
  }
}

function declined(): IkomaError {
  return new IkomaError("CANCELLED", "Nothing was changed.", { hint: "Run the same command again when you want it." });
}
