import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Prints its words and runs nothing; what else a block names is not found, and does nothing either. */
const prelude = `PATH=/nonexistent
command_not_found_handle() { :; }
ikoma() { builtin printf '%s\\0' "$@" >&3; builtin printf '\\n\\0' >&3; }
`;

/** A line of its own between commands: no word of a command is one. */
const endOfCommand = "\n";

/** The words of every `ikoma` command of a shell block, as bash reads them. Nothing of the block is run. */
export async function readCommands(text: string): Promise<string[][]> {
  const folder = await mkdtemp(join(tmpdir(), "ikoma-commands-"));
  try {
    // Bash leaves a command out whose input is not there.
    for (const [, input = ""] of text.matchAll(/[^<]<\s*([\w.-]+)/g)) await writeFile(join(folder, input), "");
    const script = `exec 3>&1 >/dev/null 2>&1\n${prelude}${text}\n:`;
    const { stdout } = await run("/bin/bash", ["-c", script], { cwd: folder, env: {}, timeout: 10_000 });
    return split(stdout.split("\0").slice(0, -1));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function split(words: readonly string[]): string[][] {
  const commands: string[][] = [[]];
  for (const word of words) {
    if (word === endOfCommand) commands.push([]);
    else commands.at(-1)?.push(word);
  }
  return commands.slice(0, -1);
}
