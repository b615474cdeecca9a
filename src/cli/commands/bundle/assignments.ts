import { IkomaError } from "../../../core/errors.ts";

/**
 * `name=value` words of an option as a record.
 *
 * @throws IkomaError USAGE for one without name or value, or a name that comes twice.
 */
export function parseAssignments(option: string, words: readonly string[]): Record<string, string> {
  const entries = new Map<string, string>();
  for (const word of words) {
    const [, name, value] = /^([^=]+)=(.+)$/s.exec(word) ?? [];
    if (name === undefined || value === undefined) {
      throw new IkomaError("USAGE", `${option} ${word}: write name=value.`);
    }
    if (entries.has(name)) throw new IkomaError("USAGE", `${option}: ${name} is given twice.`);
    entries.set(name, value);
  }
  return Object.fromEntries(entries);
}
