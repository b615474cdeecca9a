import { createCommandLine } from "../../src/cli/command-line.ts";

/** A command and its help. */
export interface CommandHelp {
  /** `ikoma deploy plan` */
  readonly words: string;
  readonly help: string;
}

const columns = 100;

/** The help of every command, each group before its commands, as the command line itself lists them. */
export async function commandReference(words: readonly string[] = []): Promise<CommandHelp[]> {
  const help = await createCommandLine(words).wrap(columns).getHelp();
  const below: CommandHelp[] = [];
  for (const word of commandsIn(help, words)) below.push(...(await commandReference([...words, word])));
  return [{ words: ["ikoma", ...words].join(" "), help: help.trim() }, ...below];
}

/** The words that may follow, by the lines under `Commands:`. */
function commandsIn(help: string, words: readonly string[]): string[] {
  const [, list = ""] = /^Commands:\n((?: {2}.*\n)*)/m.exec(help) ?? [];
  const start = ["ikoma", ...words, ""].join(" ");
  return list.split("\n").flatMap((line) => {
    const text = line.trim();
    const [word] = text.startsWith(start) ? text.slice(start.length).split(" ") : [];
    return word !== undefined && /^[a-z-]+$/.test(word) && word !== "completion" ? [word] : [];
  });
}
