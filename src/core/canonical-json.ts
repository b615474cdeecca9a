/**
 * JSON with sorted keys and no white space: equal values give equal text, so that digests over it mean
 * something. Keys whose value is undefined are left out, as JSON.stringify does. (The idea: RFC 8785;
 * numbers here are small integers and need none of its rules.)
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]));
}
