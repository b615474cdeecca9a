import { IkomaError } from "../../../core/errors.ts";

/**
 * `NAME=value` words as a record; the value may be empty, which says that it is meant.
 *
 * @throws USAGE for one without `=`, or a name that comes twice
 */
export function parseValues(words: readonly string[]): Record<string, string> {
  const values = new Map<string, string>();
  for (const word of words) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(word) ?? [];
    // Not the word itself: it may be a value whose name was forgotten.
    if (name === undefined || value === undefined) throw new IkomaError("USAGE", "--value: write NAME=value.");
    if (values.has(name)) throw new IkomaError("USAGE", `--value: ${name} is given twice.`);
    values.set(name, value);
  }
  return Object.fromEntries(values);
}
