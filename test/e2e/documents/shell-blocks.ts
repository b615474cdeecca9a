import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkout } from "../fixture/build.ts";

/** A fenced block of a document: commands, settings. */
export interface FencedBlock {
  /** `sh`, `yaml`… */
  readonly language: string;
  /** The heading that it stands under. */
  readonly heading: string;
  readonly text: string;
  /** Whether the document says that a test runs it (```sh run). */
  readonly isRun: boolean;
  /** What it must end with (```sh run exit=1). */
  readonly exitCode: number;
}

/** A fenced block of shell commands. */
export type ShellBlock = FencedBlock;

/** The shell blocks of a Markdown document, in order. `path` from the repository's folder. */
export async function shellBlocks(path: string): Promise<ShellBlock[]> {
  return (await fencedBlocks(path)).filter(({ language }) => language === "sh");
}

/** All fenced blocks of a Markdown document, in order. `path` from the repository's folder. */
export async function fencedBlocks(path: string): Promise<FencedBlock[]> {
  const lines = (await readFile(join(checkout, path), "utf8")).split("\n");
  const blocks: FencedBlock[] = [];
  let heading = "";
  let open: { words: string[]; lines: string[] } | undefined;
  for (const line of lines) {
    if (open === undefined) {
      if (line.startsWith("#")) heading = line.replace(/^#+ /, "");
      if (line.startsWith("```")) open = { words: line.slice(3).split(" "), lines: [] };
    } else if (line === "```") {
      const [language = "", ...words] = open.words;
      const exit = words.find((word) => word.startsWith("exit="));
      const exitCode = Number(exit?.slice("exit=".length) ?? 0);
      blocks.push({ language, heading, text: open.lines.join("\n"), isRun: words.includes("run"), exitCode });
      open = undefined;
    } else {
      open.lines.push(line);
    }
  }
  return blocks;
}

/** The commands of a block, each with its here-document; without lines that are a comment or empty. */
export function commandsIn(text: string): string[] {
  const commands: string[] = [];
  let terminator: string | undefined;
  for (const line of text.split("\n")) {
    if (terminator !== undefined) {
      commands.push(`${commands.pop() ?? ""}\n${line}`);
      if (line === terminator) terminator = undefined;
    } else if (line.trim() !== "" && !line.startsWith("#")) {
      commands.push(line);
      terminator = /<<'(\w+)'/.exec(line)?.[1];
    }
  }
  return commands;
}
