import * as z from "zod";

/** One thing that is wrong with a value: where, and what. */
export interface Explained {
  path: readonly (string | number)[];
  message: string;
}

/** A zod error for people: an unknown key is named by its own path, with the known key that is nearest to it. */
export function explainIssues(schema: z.ZodType, error: z.ZodError): Explained[] {
  return error.issues.flatMap((issue): Explained[] => {
    const path = issue.path.map((step) => (typeof step === "symbol" ? String(step) : step));
    if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
    const known = keysAt(schema, path);
    return issue.keys.map((key) => ({ path: [...path, key], message: unknownKeyMessage(key, known) }));
  });
}

function unknownKeyMessage(key: string, known: readonly string[]): string {
  const nearest = nearestName(key, known);
  return nearest === undefined ? "unknown setting" : `unknown setting; did you mean "${nearest}"?`;
}

/** The candidate that a typing error would most likely have come from; undefined when none is near. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates.map((candidate) => ({
    candidate,
    distance: editDistance(name.toLowerCase(), candidate.toLowerCase()),
  }));
  ranked.sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.max(2, Math.floor(name.length / 3)) ? best.candidate : undefined;
}

/** Levenshtein's distance, one row at a time. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, letter] of Array.from(from).entries()) {
    const next = [i + 1];
    for (const [j, other] of Array.from(to).entries()) {
      const substitution = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(substitution, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** The keys that an object schema inside `schema` knows. */
function keysAt(schema: z.ZodType, path: readonly (string | number)[]): string[] {
  const target = path.reduce<z.ZodType | undefined>((current, step) => childOf(unwrapped(current), step), schema);
  const object = unwrapped(target);
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

function childOf(schema: z.ZodType | undefined, step: string | number): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) return asType(schema.shape[step]);
  if (schema instanceof z.ZodRecord) return asType(schema.valueType);
  return schema instanceof z.ZodArray ? asType(schema.element) : undefined;
}

function unwrapped(schema: z.ZodType | undefined): z.ZodType | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable)
    return unwrapped(asType(schema.unwrap()));
  return schema;
}

function asType(schema: unknown): z.ZodType | undefined {
  return schema instanceof z.ZodType ? schema : undefined;
}
