import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import * as z from "zod";
import { IkomaError } from "../../errors.ts";
import { errorCode } from "../../system-error.ts";
import type { FileVariables } from "./environment.ts";
import { runCompose } from "./compose-command.ts";
import type { ComposeCommand } from "./compose-command.ts";
import { looksSecret } from "./secret-look.ts";

const probeOutput = z.looseObject({
  services: z.looseObject({
    probe: z.looseObject({ environment: z.record(z.string(), z.string().nullable()).default({}) }),
  }),
});

/**
 * The variables of an `env_file`. Compose itself parses it (quotes, comments, `export`, lines without a value), by
 * way of a service that has nothing else. Values stay in this process; none is in an error, and without
 * `includeValues` none is in the answer.
 *
 * @returns undefined when there is no such file.
 * @throws IkomaError COMPOSE_INVALID when compose cannot read it; COMPOSE_UNSUPPORTED where a value that is to be
 *   included looks like a secret.
 */
export async function readEnvFile(
  compose: ComposeCommand,
  file: string,
  includeValues: boolean,
): Promise<FileVariables | undefined> {
  const text = await readText(file);
  if (text === undefined) return undefined;
  const values = await probe(compose, file, bareNames(text));
  if (!includeValues) return new Map([...values.keys()].map((name) => [name, undefined]));
  const literal = parseEnv(text);
  refuseSecrets(file, values, literal);
  return new Map([...values].map(([name, value]) => [name, includedValue(name, value, literal[name])]));
}

/**
 * As written in the file, with dollars doubled so that they stay dollars. Compose would substitute variables in it,
 * from whatever machine the bundle is made on; so where there is a dollar the plain reading of the file counts.
 */
function includedValue(name: string, composed: string, literal: string | undefined): string {
  // A line `NAME` has no value to include: the environment gives it.
  if (literal === undefined) return `\${${name}?}`;
  return (literal.includes("$") ? literal : composed).replaceAll("$", "$$$$");
}

/** What is in a bundle is in a registry, for good and for everybody who may pull. */
function refuseSecrets(
  file: string,
  values: ReadonlyMap<string, string>,
  literal: Readonly<Record<string, string | undefined>>,
): void {
  const found = [...values].flatMap(([name, value]) => {
    return literal[name] !== undefined && looksSecret(name, value) ? [name] : [];
  });
  if (found.length === 0) return;
  const what = found.length === 1 ? "looks like a secret" : "look like secrets";
  throw new IkomaError("COMPOSE_UNSUPPORTED", `${file}: ${found.join(", ")} ${what}, and a bundle holds none.`, {
    hint: "Move such variables into an env_file that is not included: the bundle then has their names, and each environment gives the values.",
    details: { variables: found },
  });
}

/**
 * Lines that may be names without value. Compose takes those from the process's environment and forgets what is not
 * set there, so the probe sets them; lines inside a quoted value that look the same do no harm.
 */
function bareNames(text: string): string[] {
  return [...text.matchAll(/^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*$/gm)].flatMap(([, name]) => name ?? []);
}

async function probe(compose: ComposeCommand, file: string, names: readonly string[]): Promise<Map<string, string>> {
  const model = { services: { probe: { image: "probe", env_file: [{ path: file }] } } };
  // In compose's model a dollar in a path would be a variable.
  const input = JSON.stringify(model).replaceAll("$", "$$$$");
  const environment = Object.fromEntries(names.map((name) => [name, ""]));
  const words = ["--project-name", "probe", "--file", "-", "config", "--format", "json"];
  const { code, stdout } = await runCompose(compose, words, { input, environment });
  // Compose quotes the line that it does not understand: its words may hold a secret.
  if (code !== 0) throw new IkomaError("COMPOSE_INVALID", `Compose cannot read the env_file ${file}.`);
  const parsed = probeOutput.parse(JSON.parse(stdout)).services.probe.environment;
  return new Map(Object.entries(parsed).map(([name, value]) => [name, (value ?? "").replaceAll("$$", "$")]));
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return undefined;
    throw new IkomaError("COMPOSE_INVALID", `The env_file ${file} cannot be read.`, { cause });
  }
}
