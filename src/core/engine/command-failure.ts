import { errorTable, IkomaError } from "../errors.ts";
import { redactor } from "../redaction.ts";
import { stepOf } from "./command-step.ts";

const withheld = new Set<string>();

/** What this process gives steps on standard input. A failed one may have printed it; the engine masks only the text as a whole. */
export function withholdInput(stdin: string): void {
  withheld.add(stdin);
}

const shownLines = 20;

/**
 * The plugin's error for a step as one of ours. It has the script and all that it printed in one text; the texts are
 * those of pulumi-command 1.2 and of Go's SSH client.
 */
export function commandFailure(urn: string, text: string): IkomaError {
  const { host, step } = stepOf(urn);
  const name = `The step ${step} of ${host}`;
  const hint =
    "Correct it in `ikoma:setup`, or what it complains of on the host, and run again; steps that were done are not repeated.";
  // After the reason comes what was run, and all that it printed.
  const [reason = ""] = text.split(/: running "|\n/, 1);
  const known = sshFailures.find(({ pattern }) => pattern.test(reason));
  if (known !== undefined) {
    const { code, message, hint: next } = known;
    return new IkomaError(code, `${name} was not run: ${message}`, { hint: next, details: { host, step } });
  }
  const status = /Process exited with (status \d+(?: from signal \w+)?)/.exec(reason)?.[1];
  const isLost = /without exit status/.test(reason);
  const why = isLost ? "failed: the connection was lost" : `failed: ${reason.trim()}`;
  const log = printedLines(text).slice(-shownLines);
  return new IkomaError("HOST_PREPARE_FAILED", `${name} ${status === undefined ? why : `ended with ${status}`}.`, {
    hint,
    details: { host, step, log },
  });
}

const sshFailures = [
  {
    pattern: /host key mismatch|no common algorithm for host key/,
    code: "HOST_KEY_CHANGED",
    message: "the server does not show the key that is trusted.",
    hint: "Find out why; if its new key is right, run `ikoma host trust … --replace`.",
  },
  {
    pattern: /dial unix/,
    code: "HOST_AUTH",
    message: "the SSH agent that SSH_AUTH_SOCK names does not answer.",
    hint: "Start the agent, or unset SSH_AUTH_SOCK.",
  },
  {
    pattern: /unable to authenticate/,
    code: "HOST_AUTH",
    message: "the server accepts none of our keys.",
    hint: "The plugin is given the `identityFile` of the host, or else the SSH agent, or else the first of the usual files of ~/.ssh.",
  },
  {
    pattern: /dial tcp|failed attempts|handshake failed/,
    code: "HOST_UNREACHABLE",
    message: "no SSH connection to the server could be made.",
    hint: errorTable.HOST_UNREACHABLE.hint,
  },
] as const;

/** What the script printed: it comes after `running "<the script, quoted>":`. */
function printedLines(text: string): string[] {
  const output = /running "(?:[^"\\]|\\.)*":\n([\s\S]*)$/.exec(text)?.[1] ?? "";
  const open = redactor([...withheld])(output);
  return open.split("\n").filter((line) => line.trim() !== "");
}
