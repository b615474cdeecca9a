import type { PropertyPath } from "./wire/property-path.ts";
import {
  isList,
  isMap,
  propertyOf,
  Secret,
  unknownValue,
  type PropertyMap,
  type PropertyValue,
} from "./wire/property-values.ts";

/** One property that differs. Values are left out on purpose: they may be secret. */
export interface Difference {
  path: PropertyPath;
  kind: "add" | "delete" | "update";
}

/** What has to change to come from `olds` to `news`, one entry per property, at the deepest place that tells it apart. */
export function differences(olds: PropertyMap, news: PropertyMap, skip: readonly string[] = []): Difference[] {
  const keys = [...new Set([...Object.keys(olds), ...Object.keys(news)])].filter((key) => !skip.includes(key));
  return keys.sort().flatMap((key) => compare([key], propertyOf(olds, key), propertyOf(news, key)));
}

/** Whether a value of `olds` that stays as it is becomes a secret with `news`: what has it in clear must not keep it so. */
export function becomesSecret(olds: PropertyMap, news: PropertyMap): boolean {
  return isUncovered(olds, news, false);
}

function isUncovered(old: PropertyValue | undefined, now: PropertyValue | undefined, isSecret: boolean): boolean {
  if (old instanceof Secret) return false;
  if (now instanceof Secret) return isUncovered(old, now.value, true);
  if (isMap(old) && isMap(now))
    return Object.keys(now).some((key) => isUncovered(propertyOf(old, key), propertyOf(now, key), isSecret));
  if (isList(old) && isList(now)) return now.some((each, index) => isUncovered(old[index], each, isSecret));
  return isSecret && old === now;
}

function compare(path: PropertyPath, old: PropertyValue | undefined, now: PropertyValue | undefined): Difference[] {
  const before = bare(old);
  const after = bare(now);
  if (before === undefined) return after === undefined ? [] : [{ path, kind: "add" }];
  if (after === undefined) return [{ path, kind: "delete" }];
  if (isMap(before) && isMap(after)) return compareKeys(path, before, after);
  if (isList(before) && isList(after)) return compareItems(path, before, after);
  // An unknown value may turn out the same, but a plan that hides a change is worse than one that shows one too many.
  return before === after && after !== unknownValue ? [] : [{ path, kind: "update" }];
}

function compareKeys(path: PropertyPath, before: PropertyMap, after: PropertyMap): Difference[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => compare([...path, key], propertyOf(before, key), propertyOf(after, key)));
}

function compareItems(
  path: PropertyPath,
  before: readonly PropertyValue[],
  after: readonly PropertyValue[],
): Difference[] {
  const longest = before.length >= after.length ? before : after;
  return longest.flatMap((_, index) => compare([...path, index], before[index], after[index]));
}

/** Whether something is a secret is no difference; null is as good as absent (the engine drops nulls on its way). */
function bare(value: PropertyValue | undefined): PropertyValue | undefined {
  if (value instanceof Secret) return bare(value.value);
  return value === null ? undefined : value;
}
