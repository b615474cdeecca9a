import * as z from "zod";
import {
  isMap,
  reveal,
  Secret,
  type PropertyMap,
  type PropertyValue,
} from "../../../src/provider/wire/property-values.ts";

const connection = z.strictObject({
  user: z.string(),
  host: z.string(),
  port: z.number(),
  privateKey: z.string().optional(),
  agentSocketPath: z.string().optional(),
  dialErrorLimit: z.number().int(),
  perDialTimeout: z.number().int(),
  hostKey: z.string().optional(),
});

/** The inputs of `command:remote:Command` that the double serves. */
export const commandInputs = z.strictObject({
  create: z.string().optional(),
  update: z.string().optional(),
  delete: z.string().optional(),
  triggers: z.array(z.unknown()).optional(),
  stdin: z.string().optional(),
  logging: z.enum(["stdout", "stderr", "stdoutAndStderr", "none"]).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  addPreviousOutputInEnv: z.boolean().optional(),
  connection,
});
export type CommandInputs = z.infer<typeof commandInputs>;
export type Connection = z.infer<typeof connection>;

const connectionDefaults: PropertyMap = { user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 };

/** With the schema's defaults, and the connection marked secret, as the plugin's own check does. */
export function withDefaults(inputs: PropertyMap): PropertyMap {
  const given = inputs["connection"] instanceof Secret ? inputs["connection"].value : inputs["connection"];
  if (!isMap(given)) return inputs;
  return { ...inputs, connection: new Secret({ ...connectionDefaults, ...given }) };
}

/** The problems of inputs, by property. */
export function problemsOf(inputs: PropertyMap): { property: string; reason: string }[] {
  const read = commandInputs.safeParse(reveal(inputs));
  if (read.success) return [];
  return read.error.issues.map(({ path, message }) => ({ property: path.join("."), reason: message }));
}

/** Only `triggers` replaces; everything else is an update. Nothing is looked into: a part of a list is the list. */
export function changedInputs(olds: PropertyMap, news: PropertyMap): string[] {
  return Object.keys(commandInputs.shape).filter((name) => textOf(olds[name]) !== textOf(news[name]));
}

function textOf(value: PropertyValue | undefined): string {
  return JSON.stringify(sorted(value === undefined ? null : reveal(value)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, each]) => [key, sorted(each)] as const)
      .sort(([a], [b]) => a.localeCompare(b)),
  );
}
