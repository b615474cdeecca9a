import { IkomaError } from "../../../core/errors.ts";

/**
 * `name=value` words of an option as a record.
 *
 * @param form name and value of a word
 * @throws IkomaError USAGE for one of another form, or a name that comes twice.
 */
export function parseAssignments(
  option: string,
  words: readonly string[],
  form = /^([^=]+)=(.+)$/s,
): Record<string, string> {
  const entries = new Map<string, string>();
  for (const word of words) {
    const [, name, value] = form.exec(word) ?? [];
    // Not the word itself: it may be a secret whose name was forgotten.
    if (name === undefined || value === undefined) throw new IkomaError("USAGE", `${option}: write name=value.`);
    if (entries.has(name)) throw new IkomaError("USAGE", `${option}: ${name} is given twice.`);
    entries.set(name, value);
  }
  return Object.fromEntries(entries);
}
