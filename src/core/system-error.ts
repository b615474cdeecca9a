/**
 * A property of a thrown value. Not by `instanceof Error`: what Node itself throws is of another realm wherever
 * code runs in a context of its own, as under Jest.
 */
function property(thrown: unknown, name: string): unknown {
  return typeof thrown === "object" && thrown !== null ? Reflect.get(thrown, name) : undefined;
}

/** The name of a thrown error (`TimeoutError`). */
export function errorName(thrown: unknown): string | undefined {
  const name = property(thrown, "name");
  return typeof name === "string" ? name : undefined;
}

/** The code of a system error (`ENOENT`, `ECONNREFUSED`). */
export function errorCode(thrown: unknown): string | undefined {
  const code = property(thrown, "code");
  return typeof code === "string" ? code : undefined;
}

/** What an error says, or the thrown value as text. */
export function errorMessage(thrown: unknown): string {
  const message = property(thrown, "message");
  return typeof message === "string" ? message : String(thrown);
}

/** The first cause of the first cause…: `fetch` says only "fetch failed", what failed is deeper. */
export function rootCause(thrown: unknown): unknown {
  const errors = property(thrown, "errors");
  const deeper: unknown = Array.isArray(errors) && errors.length > 0 ? errors[0] : property(thrown, "cause");
  return deeper === undefined || deeper === null ? thrown : rootCause(deeper);
}
