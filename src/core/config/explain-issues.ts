import * as z from "zod";

/** One thing that is wrong with a value: where, and what. */
export interface Explained {
  path: readonly (string | number)[];
  message: string;
}

/** A zod error for people: an unknown key is named by its own path, with the known key that is nearest to it. */
export function explainIssues(schema: z.ZodType, error: Pick<z.ZodError, "issues">): Explained[] {
  return error.issues.flatMap((issue): Explained[] => {
    const path = issue.path.map((step) => (typeof step === "symbol" ? String(step) : step));
    if (issue.code === "invalid_union") {
      const meant = meantOption(typeAt(schema, path), issue.errors);
      if (meant !== undefined)
        return explainIssues(meant.option, meant).map((each) => ({ ...each, path: [...path, ...each.path] }));
    }
    if (issue.code === "invalid_key") return [{ path, message: issue.issues[0]?.message ?? issue.message }];
    if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
    const known = keysAt(schema, path);
    return issue.keys.map((key) => ({ path: [...path, key], message: unknownKeyMessage(key, known) }));
  });
}

/** Of several shapes of an object the one that a value is nearest to, with what is wrong with it as that. */
function meantOption(
  union: z.ZodType | undefined,
  failures: readonly z.core.$ZodIssue[][],
): { option: z.ZodType; issues: z.core.$ZodIssue[] } | undefined {
  if (!(union instanceof z.ZodUnion) || !union.options.every((each) => each instanceof z.ZodObject)) return undefined;
  const weight = (issues: readonly z.core.$ZodIssue[]): number =>
    issues.reduce((sum, issue) => sum + (issue.code === "unrecognized_keys" ? issue.keys.length : 1), 0);
  const ranked = failures.map((issues, index) => ({ option: asType(union.options[index]), issues }));
  const [first] = ranked.sort((a, b) => weight(a.issues) - weight(b.issues));
  return first?.option === undefined ? undefined : { option: first.option, issues: first.issues };
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
  const found = typeAt(schema, path);
  const shapes = found instanceof z.ZodUnion ? found.options : [found];
  return shapes.flatMap((shape) => (shape instanceof z.ZodObject ? Object.keys(shape.shape) : []));
}

function typeAt(schema: z.ZodType, path: readonly (string | number)[]): z.ZodType | undefined {
  return unwrapped(path.reduce<z.ZodType | undefined>((current, step) => childOf(unwrapped(current), step), schema));
}

function childOf(schema: z.ZodType | undefined, step: string | number): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) return asType(schema.shape[step]);
  if (schema instanceof z.ZodRecord) return asType(schema.valueType);
  if (schema instanceof z.ZodUnion)
    return schema.options.map((option) => childOf(unwrapped(asType(option)), step)).find((each) => each !== undefined);
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
