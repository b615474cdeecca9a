import { LineCounter, parseDocument, visit, type Document } from "yaml";
import { IkomaError } from "../errors.ts";

/** A YAML text that was read: to be edited or looked up in, and as plain values. */
export interface ReadYaml {
  readonly document: Document;
  readonly value: unknown;
}

/**
 * Reads a YAML text that somebody has written, and that may have a secret in clear. The parser's own words are left out
 * where they quote what they are about.
 *
 * @param file what it is, for the errors
 * @throws CONFIG_INVALID that says what is wrong, and where
 */
export function readYaml(text: string, file: string, lines = new LineCounter()): ReadYaml {
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [flaw] = document.errors;
  if (flaw !== undefined) throw unreadable(file, flaw.message.split(": ", 1)[0] ?? "", lines.linePos(flaw.pos[0]));
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) !== undefined) return;
      const place = lines.linePos(alias.range?.[0] ?? 0);
      throw unreadable(file, "What begins with * stands for an anchor that is not there", place);
    },
  });
  try {
    return { document, value: document.toJS() };
  } catch {
    throw unreadable(file, "What its aliases stand for is too much");
  }
}

function unreadable(file: string, what: string, place?: { readonly line: number; readonly col: number }): IkomaError {
  const where = place === undefined ? "" : ` (line ${place.line}, column ${place.col})`;
  return new IkomaError("CONFIG_INVALID", `${file} is not readable YAML: ${what}${where}`, {
    hint: "Correct the file and run again.",
  });
}
