/** The acknowledged ids that the database does not have: writes that were promised and lost. */
export function missingWrites(acknowledgedIds: readonly string[], storedIds: Iterable<string>): string[] {
  const stored = new Set(storedIds);
  return acknowledgedIds.filter((id) => !stored.has(id));
}
