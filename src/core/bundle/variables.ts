import type { z } from "zod";
import { mapStrings } from "./interpolate-tree.ts";
import { replacePlaceholders } from "./interpolate.ts";
import type { Operator } from "./interpolate.ts";
import type { bundleVariable } from "./manifest.ts";

/** A variable, as one or more places of a compose file ask for it. */
export type Variable = z.infer<typeof bundleVariable>;

/**
 * The variables that a text uses, in order, nested defaults included; an error text's own are left out, as by
 * `docker compose config --variables`. One that is used twice is required if either use is, and has the first default.
 */
export function variablesOf(text: string): Variable[] {
  const found: Variable[] = [];
  replacePlaceholders(text, (placeholder) => {
    if (placeholder.kind !== "variable") return "";
    const { name, operator, word, rest } = placeholder;
    found.push(variable(name, operator, word));
    if (operator?.endsWith("?") !== true) found.push(...variablesOf(word));
    found.push(...variablesOf(rest));
    return "";
  });
  return combine(found);
}

/** The variables of every string in a JSON tree, sorted by name. */
export function variablesOfTree(tree: unknown): Variable[] {
  const found: Variable[] = [];
  mapStrings(tree, (text) => {
    found.push(...variablesOf(text));
    return text;
  });
  return combine(found).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function variable(name: string, operator: Operator | undefined, word: string): Variable {
  switch (operator) {
    case undefined:
      return { name, required: false };
    case ":-":
    case "-":
      return { name, required: false, default: word };
    // Being unset is one of the two cases that the author wrote down: it need not be given.
    case ":+":
    case "+":
      return { name, required: false, default: "" };
    case ":?":
    case "?":
      return { name, required: true };
  }
}

function combine(uses: readonly Variable[]): Variable[] {
  const byName = new Map<string, Variable>();
  for (const use of uses) {
    const before = byName.get(use.name);
    byName.set(use.name, before === undefined ? use : merge(before, use));
  }
  return [...byName.values()].map(({ name, required, default: value }) => {
    return value === undefined || required ? { name, required } : { name, required, default: value };
  });
}

function merge(before: Variable, use: Variable): Variable {
  // As compose: an empty default (also that of `${A:+…}`) gives way to one that says something.
  const value =
    before.default === undefined || before.default === "" ? (use.default ?? before.default) : before.default;
  return {
    name: use.name,
    required: before.required || use.required,
    ...(value === undefined ? {} : { default: value }),
  };
}
