import { globSync, readFileSync } from "node:fs";
import { checkout } from "../e2e/fixture/build.ts";

/** A command that a text names in passing, such as a hint of an error: `ikoma host bootstrap`, often without all that it needs. */
export interface Mention {
  readonly place: string;
  readonly words: readonly string[];
}

/** What stands in the texts for what a reader or the program puts there. */
const examples: readonly [leftOut: RegExp, example: string][] = [
  [/\$\{howToMake\[kind\]\}/g, "admin"],
  [/\$\{options\}/g, "--recreate-volume X"],
  [/\$\{list\}/g, "writers"],
  [/\$\{[^}]*\}/g, "X"],
  [/(\w+)(?:\|\w+)+/g, "$1"],
  [/ \| .*/g, ""],
  [/ N$/g, " 1"],
  [/\s*…/g, ""],
];

/** Reads every `ikoma …` between backticks out of these files. */
export function readMentions(...patterns: readonly string[]): Mention[] {
  const files = globSync([...patterns], { cwd: checkout }).filter((file) => !file.endsWith(".test.ts"));
  return files.flatMap((file) => {
    const text = readFileSync(`${checkout}/${file}`, "utf8");
    return [...text.matchAll(/(\\?`)ikoma ((?:\$\{[^}]*\}|[^`\\])+)\1/g)].flatMap(
      ({ index, 1: mark, 2: said = "" }) => {
        // What begins a template: the backticks of a text in one are escaped.
        if (mark === "`" && said.includes("${")) return [];
        const command = examples.reduce((sofar, [leftOut, example]) => sofar.replaceAll(leftOut, example), said);
        const line = text.slice(0, index).split("\n").length;
        return [{ place: `${file}:${line}`, words: command.split(/\s+/).filter((word) => word !== "") }];
      },
    );
  });
}
