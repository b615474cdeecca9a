import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import { IkomaError } from "../../errors.ts";
import type { SourceVariable } from "./lovable-project.ts";
import { secretReason } from "./public-value.ts";

/** Vite's name for what it puts into the source. */
const buildName = /^VITE_[A-Za-z0-9_]+$/;

/** Where the values of `VITE_*` variables may come from, the strongest first. */
export interface ValueSources {
  /** Said one by one; an empty text says that it is meant to be empty. */
  readonly given: Readonly<Record<string, string>>;
  /** A file of variables; those of other names are left alone. */
  readonly file: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * A value for each variable that the source reads, and for those that are named besides: what only the configuration
 * or a plugin reads is not seen in the source.
 *
 * @throws BUILD_VALUES_INVALID where one has none, or has one that no visitor may see; CONFIG_MISSING without the file
 */
export async function collectBuildValues(
  variables: readonly SourceVariable[],
  { given, file, env }: ValueSources,
): Promise<Record<string, string>> {
  const fromFile = file === undefined ? {} : await readValues(file);
  const values: Record<string, string> = { ...publicValues(fromFile), ...given };
  const missing: SourceVariable[] = [];
  for (const variable of variables) {
    const { name } = variable;
    const value = given[name] ?? firstFilled(fromFile[name], env[name]);
    if (value === undefined) missing.push(variable);
    else values[name] = value;
  }
  refuseNames(Object.keys(values));
  refuseSecrets(values);
  refuseMissing(missing);
  return values;
}

async function readValues(file: string): Promise<NodeJS.Dict<string>> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new IkomaError("CONFIG_MISSING", `The file of values ${file} cannot be read.`, {
      hint: "Name a file of lines NAME=value with --values.",
      cause,
    });
  });
  return parseEnv(text);
}

function publicValues(values: NodeJS.Dict<string>): Record<string, string> {
  const filled = Object.entries(values).flatMap(([name, value = ""]) => (value === "" ? [] : [[name, value] as const]));
  return Object.fromEntries(filled.filter(([name]) => buildName.test(name)));
}

function firstFilled(...values: readonly (string | undefined)[]): string | undefined {
  return values.find((value) => value !== undefined && value !== "");
}

function refuseNames(names: readonly string[]): void {
  const wrong = names.filter((name) => !buildName.test(name));
  if (wrong.length === 0) return;
  throw new IkomaError(
    "BUILD_VALUES_INVALID",
    `${wrong.join(", ")}: only VITE_… variables reach the source at the build.`,
    {
      hint: "What the server reads while it runs goes into `env` or `ikoma:secrets` of the app.",
      details: { names: wrong },
    },
  );
}

function refuseSecrets(values: Readonly<Record<string, string>>): void {
  const secrets = Object.entries(values).flatMap(([name, value]) => {
    const reason = secretReason(value);
    return reason === undefined ? [] : [{ name, reason }];
  });
  if (secrets.length === 0) return;
  const list = secrets.map(({ name, reason }) => `${name} is ${reason}`).join("; ");
  throw new IkomaError("BUILD_VALUES_INVALID", `${list}: a build would show it to every visitor.`, {
    hint: "Give the publishable (anon) key instead. A key that was ever built in has to be replaced.",
    details: { names: secrets.map(({ name }) => name) },
  });
}

function refuseMissing(missing: readonly SourceVariable[]): void {
  if (missing.length === 0) return;
  const list = missing.map(({ name, file }) => `${name} (read by ${file})`).join(", ");
  throw new IkomaError("BUILD_VALUES_INVALID", `The build needs values for ${list}.`, {
    hint: "Give them with --value NAME=value, a file (--values FILE) or the environment; --value NAME= means it is to be empty.",
    details: { names: missing.map(({ name }) => name) },
  });
}
