import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { createCommandLine } from "../../src/cli/command-line.ts";
import { firstDeploy } from "../../src/core/project/project-files.ts";
import { fencedBlocks } from "../e2e/documents/shell-blocks.ts";
import { checkout } from "../e2e/fixture/build.ts";
import { readCommands } from "./read-commands.ts";
import { readSettings } from "./read-settings.ts";

/** What the documents tell the reader to write and to run is what this version takes; test/e2e runs most of it. */

const documents = ["README.md", "README.fr.md", ...["docs/guides", "docs/runbooks"].flatMap(markdownIn)];

function markdownIn(folder: string): string[] {
  const names = readdirSync(join(checkout, folder)).filter((name) => name.endsWith(".md"));
  return names.map((name) => `${folder}/${name}`);
}

class Understood extends Error {}

/** Reads a command line up to where its command would begin. */
async function understand(words: readonly string[]): Promise<void> {
  const stop = (): never => {
    throw new Understood();
  };
  try {
    await createCommandLine(words).middleware(stop).parseAsync();
  } catch (error) {
    if (!(error instanceof Understood)) throw new Error(`ikoma ${words.join(" ")}`, { cause: error });
  }
}

describe.each(documents)("%s", (document) => {
  test("its settings are settings", async () => {
    const blocks = (await fencedBlocks(document)).filter(({ language }) => language === "yaml");
    for (const { text } of blocks) expect(() => readSettings(text)).not.toThrow();
  });

  test("its commands are commands", async () => {
    const blocks = (await fencedBlocks(document)).filter(({ language }) => language === "sh");
    const commands = (await Promise.all(blocks.map(({ text }) => readCommands(text)))).flat();
    const named = blocks.flatMap(({ text }) => text.match(/^(?!.*#.*ikoma )\s*ikoma /gm) ?? []);
    expect(commands.length).toBeGreaterThanOrEqual(named.length);
    for (const words of commands) await understand(words);
  });
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
