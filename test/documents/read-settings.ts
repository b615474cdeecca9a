import { generateKeyPairSync } from "node:crypto";
import { parse } from "yaml";
import * as z from "zod";
import { appExtension, serviceExtension } from "../../src/core/bundle/compose/extension.ts";
import { backupPolicy } from "../../src/core/backup/backup-policy.ts";
import { stackSettings } from "../../src/core/config/schema.ts";
import { supabaseConfig } from "../../src/core/services/supabase/supabase-config.ts";

const service = z.looseObject({ "x-ikoma": serviceExtension.optional() });

/** What a block of settings may be, by the keys at its top; the first that is there decides. */
const kinds: Readonly<Record<string, z.ZodType>> = {
  config: z.strictObject({ config: ofStack() }),
  "x-ikoma": z.strictObject({ "x-ikoma": appExtension, services: z.record(z.string(), service).optional() }),
  services: z.strictObject({ services: z.record(z.string(), service) }),
  offsite: backupPolicy.pick({ offsite: true }),
  supabase: z.strictObject({ supabase: supabaseConfig }),
  jobs: z.object({ jobs: z.record(z.string(), z.object({ steps: z.array(z.looseObject({})) })) }),
};

/** What documents leave out (`AAAA…`), as something that it could be. */
const examples: readonly [leftOut: RegExp, example: () => string][] = [
  [/ssh-ed25519 AAAA\w*…/g, () => "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF5c0dk3T0bBvb2yGR3m2fPyYdM8F1qNnUXZ0aRsZ9dX"],
  [/age1…/g, () => "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"],
  [/AKIA…/g, () => "AKIAIOSFODNN7EXAMPLE"],
  [/MFkw\w+…/g, () => publicKeyBody()],
];

/**
 * Reads a block of settings of a document as the program would.
 *
 * @throws Error that says what is wrong; also for a block of a kind that is not known here
 */
export function readSettings(text: string): unknown {
  const whole = examples.reduce((sofar, [leftOut, example]) => sofar.replaceAll(leftOut, example), text);
  const value = z.record(z.string(), z.unknown()).parse(parse(whole));
  const kind = Object.keys(kinds).find((key) => key in value);
  if (kind === undefined) throw new Error(`nothing reads a block with ${Object.keys(value).join(", ")}`);
  return kinds[kind]?.parse(value);
}

/** The settings of a stack, under the names that they have in its file. */
function ofStack(): z.ZodType {
  const named = Object.entries(stackSettings.shape).map(([name, schema]) => [`ikoma:${name}`, schema.optional()]);
  return z.strictObject(Object.fromEntries(named) as Record<string, z.ZodType>);
}

function publicKeyBody(): string {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return publicKey.export({ type: "spki", format: "der" }).toString("base64");
}
