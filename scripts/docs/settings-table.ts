import type { JsonSchema } from "./json-schema.ts";

interface Row {
  readonly name: string;
  readonly type: string;
  readonly fallback: string;
  readonly description: string;
}

/** A Markdown table of an object's settings, those inside of others included: `health.path`, `smoke[].path`. */
export function settingsTable(schema: JsonSchema): string {
  const rows = rowsOf(schema, "").map(({ name, type, fallback, description }) =>
    [name === "or" ? "*or*" : `\`${name}\``, type, fallback, description].join(" | "),
  );
  return ["| setting | type | default | |", "|---|---|---|---|", ...rows.map((row) => `| ${row} |`)].join("\n");
}

/** Of an object with several shapes all settings, each shape's own. */
function rowsOf({ anyOf = [], ...schema }: JsonSchema, prefix: string): Row[] {
  const shapes = anyOf.map((each) => ownRows(each, prefix)).filter((rows) => rows.length > 0);
  const or = { name: "or", type: "", fallback: "", description: "" };
  return [...ownRows(schema, prefix), ...shapes.flatMap((rows, index) => (index === 0 ? rows : [or, ...rows]))];
}

function ownRows(schema: JsonSchema, prefix: string): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const name = prefix + key;
    const isRequired = schema.required?.includes(key) ?? false;
    const row = {
      name,
      type: typeOf(property),
      fallback: isRequired ? "**needed**" : defaultOf(property),
      description: escaped(property.description ?? ""),
    };
    const ofEach = valueOf(property);
    return [
      row,
      ...rowsOf(property, `${name}.`),
      ...rowsOf(itemOf(property), `${name}[].`),
      ...rowsOf(ofEach, `${name}.NAME.`),
    ];
  });
}

function itemOf({ items }: JsonSchema): JsonSchema {
  return typeof items === "object" ? items : {};
}

/** What a map has under each name. */
export function valueOf({ additionalProperties }: JsonSchema): JsonSchema {
  return typeof additionalProperties === "object" ? additionalProperties : {};
}

function typeOf(schema: JsonSchema): string {
  const {
    type = "any",
    anyOf,
    const: word,
    enum: words = word === undefined ? undefined : [word],
    minimum,
    maximum,
    prefixItems,
    additionalProperties,
  } = schema;
  if (anyOf !== undefined) return [...new Set(anyOf.map(typeOf))].join(", ");
  if (words !== undefined) return words.map((word) => `\`${word}\``).join(", ");
  if (prefixItems !== undefined) return `[${prefixItems.map(typeOf).join(", ")}]`;
  if (type === "array") return `list of ${typeOf(itemOf(schema))}`;
  if (type === "object" && typeof additionalProperties === "object") return `map of ${typeOf(additionalProperties)}`;
  const range = minimum !== undefined && maximum !== undefined ? ` ${minimum}-${maximum}` : "";
  return type + range;
}

function defaultOf({ default: value }: JsonSchema): string {
  if (value === undefined) return "";
  const isEmpty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
  return isEmpty ? "none" : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

/** A bar would end the cell. */
function escaped(text: string): string {
  return text.replaceAll("|", "\\|");
}
