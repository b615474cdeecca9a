import { IkomaError } from "../errors.ts";

/** Gives a variable's value; undefined when it is not set (an empty string is set). */
export type Lookup = (name: string) => string | undefined;

// The grammar of compose-go's `template` package: the greedy `(.*)` runs to the last brace of the
// line, and `untilClosingBrace` cuts it back afterwards, which is what makes nesting work.
const pattern =
  /\$(?:(?<escaped>\$)|(?<named>[_a-zA-Z][_a-zA-Z0-9]*)|\{(?:(?<braced>[_a-zA-Z][_a-zA-Z0-9]*(?::?[-+?][^\n]*)?)\}|(?<invalid>)))/;
const substitution = /^(?<name>[_a-zA-Z][_a-zA-Z0-9]*)(?:(?<operator>:?[-+?])(?<word>[^\n]*))?$/;

/** One place in a text where compose substitutes. */
export type Placeholder =
  | { kind: "escaped" }
  | { kind: "invalid" }
  | { kind: "variable"; name: string; operator: Operator | undefined; word: string; rest: string };

/** What follows the name: default (`-`), replacement (`+`) or error text (`?`); with `:` an empty value counts as unset. */
export type Operator = ":-" | "-" | ":+" | "+" | ":?" | "?";

const operators: ReadonlySet<string> = new Set([":-", "-", ":+", "+", ":?", "?"]);
const isOperator = (text: string | undefined): text is Operator => text !== undefined && operators.has(text);

/**
 * Substitutes variables exactly as Docker Compose does: `$A`, `${A}`, `:-`, `-`, `:?`, `?`, `:+`, `+`,
 * nested words, and `$$` for a dollar.
 *
 * @throws IkomaError CONFIG_MISSING for an unset `${A:?…}`; COMPOSE_INVALID for a malformed `${`.
 */
export function interpolate(text: string, lookup: Lookup): string {
  return replacePlaceholders(text, (placeholder) => substitute(placeholder, text, lookup));
}

function substitute(placeholder: Placeholder, text: string, lookup: Lookup): string {
  switch (placeholder.kind) {
    case "escaped":
      return "$";
    case "invalid":
      throw new IkomaError("COMPOSE_INVALID", `Malformed variable in ${JSON.stringify(text)}.`, {
        hint: "Write ${NAME}, or $$ for a dollar sign.",
      });
    case "variable":
      return valueOf(placeholder, lookup) + interpolate(placeholder.rest, lookup);
  }
}

function valueOf({ name, operator, word }: Placeholder & { kind: "variable" }, lookup: Lookup): string {
  const value = lookup(name) ?? "";
  const given = operator?.startsWith(":") === true ? value !== "" : lookup(name) !== undefined;
  switch (operator) {
    case undefined:
      return value;
    case ":-":
    case "-":
      return given ? value : interpolate(word, lookup);
    case ":+":
    case "+":
      return given ? interpolate(word, lookup) : value;
    case ":?":
    case "?":
      if (given) return value;
      throw missing(name, interpolate(word, lookup));
  }
}

function missing(name: string, reason: string): IkomaError {
  return new IkomaError("CONFIG_MISSING", `Variable ${name} has no value${reason === "" ? "" : `: ${reason}`}.`, {
    details: { variables: [name] },
  });
}

/** Calls `replace` for each placeholder of a text, outermost ones only, and puts its answer in its place. */
export function replacePlaceholders(text: string, replace: (placeholder: Placeholder) => string): string {
  return text.replace(new RegExp(pattern, "g"), (match) => replace(parsePlaceholder(match)));
}

function parsePlaceholder(match: string): Placeholder {
  if (match === "$$") return { kind: "escaped" };
  if (match === "${") return { kind: "invalid" };
  if (!match.startsWith("${"))
    return { kind: "variable", name: match.slice(1), operator: undefined, word: "", rest: "" };
  const end = closingBrace(match);
  const inner = match.slice(2, end === -1 ? -1 : end);
  const groups = substitution.exec(inner)?.groups;
  if (groups?.name === undefined) return { kind: "invalid" };
  const operator = isOperator(groups.operator) ? groups.operator : undefined;
  return {
    kind: "variable",
    name: groups.name,
    operator,
    word: groups.word ?? "",
    rest: end === -1 ? "" : match.slice(end + 1),
  };
}

/** Index of the brace that closes the first one, or -1. Like compose, it does not look at the character after a `{`. */
function closingBrace(text: string): number {
  let open = 0;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === "}" && --open === 0) return index;
    if (text[index] === "{") {
      open++;
      index++;
    }
  }
  return -1;
}
