/**
 * Inputs of a release that are only noted down with it: a change of them is no reason for a deploy and restarts nothing.
 * Whatever secret differs shows where it is used.
 */
export const notedReleaseFields = [
  "source",
  "note",
  "redeploy",
  "rollbackTo",
  "keep",
  "bake",
  "strategy",
  "secrets",
  "migrations",
] as const;

/** Whether a field of the release's inputs is one of these. */
export function isNotedOnly(name: string): boolean {
  return notedReleaseFields.some((each) => each === name);
}
