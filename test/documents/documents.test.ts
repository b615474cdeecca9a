import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, jest, test } from "@jest/globals";
import { createCommandLine } from "../../src/cli/command-line.ts";
import { firstDeploy } from "../../src/core/project/project-files.ts";
import { fencedBlocks } from "../e2e/documents/shell-blocks.ts";
import { checkout } from "../e2e/fixture/build.ts";
import { readCommands } from "./read-commands.ts";
import { readMentions } from "./read-mentions.ts";
import { readSettings } from "./read-settings.ts";

/** What the documents tell the reader to write and to run is what this version takes; test/e2e runs most of it. */

const documents = ["README.md", "README.fr.md", ...["docs/guides", "docs/runbooks"].flatMap(markdownIn)];
const [settings, commands] = [await blocksIn("yaml"), await blocksIn("sh")];

function markdownIn(folder: string): string[] {
  const names = readdirSync(join(checkout, folder)).filter((name) => name.endsWith(".md"));
  return names.map((name) => `${folder}/${name}`);
}

/** The texts of the blocks in this language, by document; without the documents that have none. */
async function blocksIn(wanted: string): Promise<[document: string, texts: string[]][]> {
  const found = documents.map(async (document): Promise<[string, string[]]> => {
    const blocks = await fencedBlocks(document);
    return [document, blocks.filter(({ language }) => language === wanted).map(({ text }) => text)];
  });
  return (await Promise.all(found)).filter(([, texts]) => texts.length > 0);
}

class Understood extends Error {}

/** Reads a command line up to where its command would begin, which one that only asks for help does not come to. */
async function understand(words: readonly string[]): Promise<void> {
  const stop = (): never => {
    throw new Understood();
  };
  try {
    await createCommandLine(words).middleware(stop).parseAsync();
  } catch (error) {
    if (error instanceof Understood) return;
    throw new Error(`ikoma ${words.join(" ")}`, { cause: error });
  }
  throw new Error(`ikoma ${words.join(" ")}: it is no command`);
}

test.each(settings)("the settings of %s are settings", (_, texts) => {
  for (const text of texts) expect(() => readSettings(text)).not.toThrow();
});

test.each(commands)("the commands of %s are commands", async (_, texts) => {
  const read = (await Promise.all(texts.map(readCommands))).flat();
  const named = texts.flatMap((text) => text.match(/^(?!.*#.*ikoma )\s*ikoma /gm) ?? []);
  expect(read.length).toBeGreaterThanOrEqual(named.length);
  for (const words of read) await understand(words);
});

/** Puts in what a mention leaves out, so that what it does say is read; a group of commands is one as it is. */
async function understandMention(words: readonly string[]): Promise<void> {
  let whole = words;
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const flaw = await understand(whole).then(
      () => "",
      (error: unknown) =>
        error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error),
    );
    const [, got = "", needed = ""] =
      /^Not enough non-option arguments: got (\d+), need at least (\d+)$/.exec(flaw) ?? [];
    const [, options = ""] = /^Missing required arguments?: (.*)$/.exec(flaw) ?? [];
    if (flaw === "" || flaw.startsWith("Which command of ")) return;
    if (needed !== "") whole = [...whole, ...Array.from({ length: Number(needed) - Number(got) }, () => "X")];
    else if (options !== "") whole = [...whole, ...options.split(", ").flatMap((name) => [`--${name}`, "X"])];
    else if (flaw.startsWith("Not enough arguments following: ")) whole = [...whole, "X"];
    else throw new Error(`ikoma ${words.join(" ")}: ${flaw}`);
  }
  throw new Error(`ikoma ${words.join(" ")}: what it leaves out is not known`);
}

test.each([
  ["hints and messages", ["{src,components,stacks}/**/*.ts"], 120],
  ["documents", ["*.md", "docs/**/*.md"], 100],
])("the commands that %s name are commands", async (_, patterns, atLeast) => {
  const mentions = readMentions(...patterns);
  expect(mentions.length).toBeGreaterThan(atLeast);
  const wrong: string[] = [];
  const print = jest.spyOn(console, "log").mockReturnValue();
  for (const { place, words } of mentions) {
    await understandMention(words).catch((error: unknown) => wrong.push(`${place} ${String(error)}`));
  }
  print.mockRestore();
  expect(wrong).toEqual([]);
});

test.each([
  ["host bootstap", "Did you mean bootstrap?"],
  ["host bootstrap --instal", "Unknown argument: instal"],
  ["bundle create … --sing-key ci.key", "Unknown arguments: sing-key"],
])("a mention with a typing error is found: %s", async (text, flaw) => {
  await expect(understandMention(text.split(" ").filter((word) => word !== "…"))).rejects.toThrow(flaw);
});

test("what `ikoma init` says comes next are commands", async () => {
  const next = firstDeploy("shop");
  const commands = await readCommands(next.join("\n"));
  expect(commands).toHaveLength(next.filter((line) => line.startsWith("ikoma ")).length);
  for (const words of commands) await understand(words);
});

test("a setting and an option that do not exist are found", async () => {
  expect(() => readSettings("x-ikoma: { strategie: replace }")).toThrow("strategie");
  expect(() => readSettings("config: { ikoma:polices: {} }")).toThrow("ikoma:polices");
  const [words = []] = await readCommands('ikoma deploy apply --bundel "$REF" < /dev/null');
  await expect(understand(words)).rejects.toMatchObject({ cause: { code: "USAGE" } });
});

test("a command line that only asks for help is not taken for a command", async () => {
  const print = jest.spyOn(console, "log").mockReturnValue();
  await expect(understand(["deploy", "apply", "--bundel", "x", "--help"])).rejects.toThrow("it is no command");
  print.mockRestore();
});
