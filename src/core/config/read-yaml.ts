import { parseDocument, type Document, type LineCounter } from "yaml";
import { IkomaError } from "../errors.ts";
import { errorMessage } from "../system-error.ts";

/** A YAML text that was read: to be edited or looked up in, and as plain values. */
export interface ReadYaml {
  readonly document: Document;
  readonly value: unknown;
}

/**
 * Reads a YAML text that somebody has written.
 *
 * @param file what it is, for the errors
 * @throws CONFIG_INVALID that says what is wrong, and in which line where that is known
 */
export function readYaml(text: string, file: string, options: { lineCounter?: LineCounter } = {}): ReadYaml {
  const document = parseDocument(text, options);
  try {
    const [flaw] = document.errors;
    if (flaw !== undefined) throw flaw;
    // Only here an alias is found out that names nothing, or very much.
    return { document, value: document.toJS() };
  } catch (cause) {
    throw new IkomaError("CONFIG_INVALID", `${file} is not readable YAML: ${errorMessage(cause)}`, {
      hint: "Correct the file and run again.",
      cause,
    });
  }
}
