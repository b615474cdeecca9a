import type * as z from "zod";
import { explainIssues, type Explained } from "../core/config/explain-issues.ts";
import {
  hasUnknown,
  isList,
  isMap,
  propertyOf,
  reveal,
  Secret,
  unknownValue,
  type PropertyMap,
  type PropertyValue,
} from "./wire/property-values.ts";

/** What is wrong with inputs, as far as it can be told: nothing is said about values that are not known yet. */
export function inputProblems(schema: z.ZodType, inputs: PropertyMap): Explained[] {
  const parsed = schema.safeParse(reveal(inputs));
  if (parsed.success) return [];
  return explainIssues(schema, parsed.error).filter((problem) => !leadsToUnknown(inputs, problem.path));
}

function leadsToUnknown(value: PropertyValue | undefined, path: readonly (string | number)[]): boolean {
  if (value === unknownValue) return true;
  if (value instanceof Secret) return leadsToUnknown(value.value, path);
  const [step, ...rest] = path;
  // Which of several shapes it has may hang on what is unknown in it.
  if (step === undefined) return value !== undefined && hasUnknown(value);
  if (isMap(value)) return leadsToUnknown(propertyOf(value, String(step)), rest);
  return isList(value) && typeof step === "number" && leadsToUnknown(value[step], rest);
}
