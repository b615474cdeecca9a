import { LineCounter, parseDocument, visit, type Document } from "yaml";
import { IkomaError } from "../errors.ts";

/**
 * A YAML file that may have a secret in clear. The parser's own words are left out where they quote what they are about.
 *
 * @param name of the file, for the message
 * @throws CONFIG_INVALID saying what is wrong and where
 */
export function parseYaml(text: string, name: string, lines = new LineCounter()): Document {
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const unreadable = (what: string, at: number): IkomaError => {
    const { line, col } = lines.linePos(at);
    return new IkomaError("CONFIG_INVALID", `${name} is not readable YAML: ${what} (line ${line}, column ${col})`);
  };
  const [flaw] = document.errors;
  if (flaw !== undefined) throw unreadable(flaw.message.split(": ", 1)[0] ?? "", flaw.pos[0]);
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) === undefined)
        throw unreadable("What begins with * stands for an anchor that is not there", alias.range?.[0] ?? 0);
    },
  });
  return document;
}
