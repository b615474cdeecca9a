import { IkomaError, toIkomaError } from "../errors.ts";
import { interpolate } from "./interpolate.ts";
import type { Lookup } from "./interpolate.ts";

/**
 * A copy of a JSON tree with every string replaced by what `change` makes of it; keys stay, as in compose.
 * `path` is like `environment.NAME` or `command[1]`.
 */
export function mapStrings(tree: unknown, change: (text: string, path: string) => unknown, path = ""): unknown {
  if (typeof tree === "string") return change(tree, path);
  if (Array.isArray(tree)) return tree.map((item, index) => mapStrings(item, change, `${path}[${index}]`));
  if (typeof tree !== "object" || tree === null) return tree;
  const entries = Object.entries(tree).map(([key, value]: [string, unknown]) => {
    return [key, mapStrings(value, change, path === "" ? key : `${path}.${key}`)] as const;
  });
  return Object.fromEntries(entries);
}

/**
 * A service definition (or any JSON tree) with its variables substituted. Numbers and booleans that were
 * variables stay strings: compose casts them itself when it reads the result.
 *
 * @throws IkomaError CONFIG_MISSING that names every required variable without a value, or COMPOSE_INVALID.
 */
export function interpolateTree(
  definition: Readonly<Record<string, unknown>>,
  lookup: Lookup,
): Record<string, unknown> {
  const failures: { path: string; error: IkomaError }[] = [];
  const attempt = (text: string, path: string): string => {
    try {
      return interpolate(text, lookup);
    } catch (thrown) {
      failures.push({ path, error: toIkomaError(thrown) });
      return text;
    }
  };
  const entries = Object.entries(definition).map(([key, value]) => [key, mapStrings(value, attempt, key)] as const);
  if (failures.length > 0) throw together(failures);
  return Object.fromEntries(entries);
}

function together(failures: readonly { path: string; error: IkomaError }[]): IkomaError {
  const missing = failures.every(({ error }) => error.code === "CONFIG_MISSING");
  const variables = failures.flatMap(({ error }): unknown[] => {
    return Array.isArray(error.details.variables) ? error.details.variables : [];
  });
  const lines = failures.map(({ path, error }) => `${path}: ${error.message}`);
  return new IkomaError(missing ? "CONFIG_MISSING" : "COMPOSE_INVALID", lines.join("\n"), {
    details: { variables: [...new Set(variables)] },
  });
}
