import { isList, isMap, propertyOf, type PropertyMap, type PropertyValue } from "./property-values.ts";

/** Steps from a resource's properties to one of them. */
export type PropertyPath = readonly (string | number)[];

/** As Pulumi writes it: `services.web.ports[0]`, `services["my.name"].image`. */
export function formatPath(path: PropertyPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    if (!/^[A-Za-z_$][\w$-]*$/.test(step)) return `${text}[${JSON.stringify(step)}]`;
    return text === "" ? step : `${text}.${step}`;
  }, "");
}

const stepPattern = /\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|\.?([^.[\]]+)/y;

/** Reads what {@link formatPath} writes; undefined when it is not a path. */
export function parsePath(text: string): PropertyPath | undefined {
  const path: (string | number)[] = [];
  stepPattern.lastIndex = 0;
  while (stepPattern.lastIndex < text.length) {
    const step = stepPattern.exec(text);
    if (step === null) return undefined;
    if (step[1] !== undefined) path.push(Number(step[1]));
    else if (step[2] !== undefined) path.push(String(JSON.parse(step[2])));
    else if (step[3] !== undefined) path.push(step[3]);
  }
  return path.length === 0 ? undefined : path;
}

/** A copy with the property at `path` set, or taken out where `value` is undefined. What is missing on the way there is replaced by `value` itself. */
export function withProperty(root: PropertyMap, path: PropertyPath, value: PropertyValue | undefined): PropertyMap {
  const [key, ...rest] = path;
  if (key === undefined) return root;
  const name = String(key);
  const child = replaced(propertyOf(root, name), rest, value);
  const others = Object.entries(root).filter(([each]) => each !== name);
  return Object.fromEntries(child === undefined ? others : [...others, [name, child]]);
}

function replaced(
  current: PropertyValue | undefined,
  path: PropertyPath,
  value: PropertyValue | undefined,
): PropertyValue | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (isMap(current)) return withProperty(current, path, value);
  if (isList(current) && typeof key === "number")
    return [...current.slice(0, key), replaced(current[key], rest, value) ?? null, ...current.slice(key + 1)];
  return value;
}
