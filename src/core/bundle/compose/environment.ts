import type { Findings } from "./findings.ts";

type Scalar = string | number | boolean | null;

/** Names with values, or `NAME=value` items, as compose has them. */
export type NamesOrMap = readonly string[] | Readonly<Record<string, Scalar>> | null | undefined;

/** Variables that a service gets from its `env_file`s: names only, or with values that may be in the bundle. */
export type FileVariables = ReadonlyMap<string, string | undefined>;

/**
 * A service's environment as a map of strings with `${…}` as written. A name without value would be read from
 * whoever runs compose, which is the agent on the host: it becomes a variable of the same name. So does what an
 * `env_file` sets, unless its values were to be included; like in compose, `environment` wins over files.
 */
export function serviceEnvironment(
  path: string,
  written: NamesOrMap,
  fromFiles: FileVariables,
  findings: Findings,
): Record<string, string> {
  const entries = new Map<string, string>();
  // `?`: it has to be given, but may be given empty.
  for (const [name, value] of fromFiles) entries.set(name, value ?? `\${${name}?}`);
  for (const [name, value] of pairs(written)) {
    if (!/^[^$=\s]+$/.test(name)) findings.refuse(`${path}.environment`, `a name cannot hold a variable (${name}).`);
    if (value === null && !isVariableName(name)) {
      findings.refuse(
        `${path}.environment`,
        `${name} has no value, and no variable can have that name. Give it a value.`,
      );
    }
    entries.set(name, value === null ? `\${${name}}` : String(value));
  }
  return Object.fromEntries(entries);
}

/** Labels as a map of strings. */
export function serviceLabels(path: string, written: NamesOrMap, findings: Findings): Record<string, string> {
  const labels = [...pairs(written)].map(([name, value]) => [name, String(value ?? "")] as const);
  const ours = labels.find(([name]) => name.startsWith("dev.ikoma."));
  if (ours !== undefined)
    findings.refuse(`${path}.labels`, `${ours[0]}: labels that start with dev.ikoma. are the agent's.`);
  return Object.fromEntries(labels);
}

function pairs(written: NamesOrMap): Iterable<[string, Scalar]> {
  if (written === null || written === undefined) return [];
  if (!isList(written)) return Object.entries(written);
  return written.map((item) => {
    const equals = item.indexOf("=");
    return equals === -1 ? [item, null] : [item.slice(0, equals), item.slice(equals + 1)];
  });
}

// Array.isArray does not narrow a readonly array.
const isList = (written: readonly string[] | Readonly<Record<string, Scalar>>): written is readonly string[] => {
  return Array.isArray(written);
};

const isVariableName = (name: string): boolean => /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name);
