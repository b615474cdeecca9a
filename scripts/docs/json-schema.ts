import * as z from "zod";
import { stackSettings } from "../../src/core/config/schema.ts";

/** The part of JSON Schema that the settings use. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly title?: string;
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema | boolean;
  readonly prefixItems?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}

/** A zod schema as JSON Schema: what a file may say, defaults left out. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: "input",
    override: ({ jsonSchema }) => {
      dropNoise(jsonSchema);
    },
  }) as JsonSchema;
}

/** Bounds that every integer has, a format that no editor knows, and a second way to write alternatives. */
function dropNoise(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.format === "starts_with") delete schema.format;
  if (schema.oneOf === undefined) return;
  // Alternatives that one word tells apart; editors show either in the same way.
  schema.anyOf = schema.oneOf;
  delete schema.oneOf;
}

/** An encrypted value, as `pulumi config set --secret` writes it. */
const encrypted: JsonSchema = {
  type: "object",
  properties: { secure: { type: "string", description: "Encrypted by Pulumi." } },
  required: ["secure"],
  additionalProperties: false,
};

const stdinOfStep = ["additionalProperties", "properties", "prepare", "items", "properties", "stdin"];

/** Where a setting is a secret, or may be one. */
function withEncrypted(key: string, schema: JsonSchema): JsonSchema {
  if (key === "secrets")
    return edited(schema, ["additionalProperties", "additionalProperties"], ({ anyOf = [] }) => ({
      anyOf: anyOf.map((each) => (each.type === "string" ? encrypted : each)),
    }));
  if (key !== "setup") return schema;
  return edited(schema, stdinOfStep, ({ description = "", type = "" }) => ({
    description,
    anyOf: [{ type }, encrypted],
  }));
}

/** A copy in which the schema at `path` is another. */
function edited(schema: JsonSchema, path: readonly string[], edit: (schema: JsonSchema) => JsonSchema): JsonSchema {
  const [key, ...rest] = path;
  if (key === undefined) return edit(schema);
  const inner = new Map(Object.entries(schema)).get(key) as JsonSchema | undefined;
  if (inner === undefined) throw new Error(`the schema has no ${key}`);
  return { ...schema, [key]: edited(inner, rest, edit) };
}

/** The JSON Schema of `Pulumi.<stack>.yaml`, for editors. Settings of other packages stay free. */
export function stackFileSchema(): JsonSchema {
  const { properties = {}, $schema = "" } = jsonSchemaOf(stackSettings);
  const settings = Object.entries(properties).map(([key, schema]) => [`ikoma:${key}`, withEncrypted(key, schema)]);
  return {
    $schema,
    title: "Pulumi.<stack>.yaml of IKOMA Bridge",
    type: "object",
    properties: { config: { type: "object", properties: Object.fromEntries(settings) as Record<string, JsonSchema> } },
  };
}
