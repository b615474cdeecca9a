import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import * as z from "zod";
import { readSecrets } from "../../../adapters/secrets/read-secrets.ts";
import { readBundle } from "../../../bundle/bundle-store.ts";
import { referenceFrom } from "../../../bundle/bundle-reference.ts";
import type { BundleManifest } from "../../../bundle/manifest.ts";
import { readYaml } from "../../../config/read-yaml.ts";
import { secretsConfig } from "../../../config/schema.ts";
import { readStackSecret, setStackSecret } from "../../../engine/stack-secrets.ts";
import type { StackPlace } from "../../../engine/stack-state.ts";
import { IkomaError } from "../../../errors.ts";
import type { DeployProject } from "../../../project/deploy-project.ts";
import { editAppSettings, writeStackFile, type StackSettings } from "../../../project/deploy-stack-file.ts";
import { partsOfBundle } from "./stack-parts.ts";
import { keyNames, makeSecrets } from "./stack-secrets.ts";
import { settingsFrom } from "./stack-settings.ts";

/** What a self-hosted stack is to be given before it is deployed. */
export interface PrepareOptions {
  readonly project: DeployProject;
  /** Of the stack's file. */
  readonly settings: Pick<StackSettings, "apps">;
  readonly app: string;
  /** Reference of the bundle, a relative path from this process's folder; without it the one that the stack pins. */
  readonly bundle: string | undefined;
  /** A file of variables (`.env.example`) whose settings are taken over where they are no secrets. */
  readonly settingsFile: string | undefined;
}

/** What was done, by the names of the variables; values are told to nobody. */
export interface PreparedStack {
  readonly secrets: readonly string[];
  readonly settings: readonly string[];
  /** Asked for by the stack, and still without a value. */
  readonly missing: readonly string[];
}

/**
 * Makes the secrets that a self-hosted stack asks for and that the stack's file does not have, encrypted by the engine,
 * and writes settings for it. What is there stays, so that it can be run again.
 *
 * @throws CONFIG_MISSING without a bundle, CONFIG_INVALID where it cannot be told which secrets are there or what signs,
 *   USAGE for a bundle that is no such stack or a file that is not there, PASSPHRASE_MISSING, STACK_NOT_FOUND
 */
export async function prepareStack(options: PrepareOptions): Promise<PreparedStack> {
  const { project, app } = options;
  const { domains = [], env = {}, bundle: pin } = options.settings.apps[app] ?? {};
  const manifest = await bundleOf(app, options.bundle ?? (pin && referenceFrom(project.folder, pin)));
  const sources = await secretSources(project.stackFile, app);
  const file = await variablesOfFile(options.settingsFile);
  const variables = manifest.variables.filter((each) => each.default === undefined).map(({ name }) => name);
  const known = [...Object.keys(sources), ...Object.keys(env)];

  const place = { workDir: project.folder, stackName: project.stackName };
  refuseKeysAlone(known);
  const signs = keyNames.some((name) => variables.includes(name) && !known.includes(name));
  const jwtSecret = signs ? (env["JWT_SECRET"] ?? (await jwtSecretOf(place, app, sources["JWT_SECRET"]))) : undefined;
  const secrets = makeSecrets({ variables, known, jwtSecret }, Date.now());
  const found = file === undefined ? new Map<string, string>() : settingsFrom({ app, variables, known, file, domains });

  if (found.size > 0) await writeSettings(project.stackFile, app, { ...env, ...Object.fromEntries(found) });
  for (const [name, value] of secrets) await setStackSecret(place, secretPath(app, name), value);
  const given = [...known, ...secrets.keys(), ...found.keys()];
  return {
    secrets: [...secrets.keys()],
    settings: [...found.keys()],
    missing: variables.filter((name) => !given.includes(name)),
  };
}

async function bundleOf(app: string, reference: string | undefined): Promise<BundleManifest> {
  if (reference === undefined) {
    throw new IkomaError(
      "CONFIG_MISSING",
      `Which secrets ${app} needs stands in its bundle, and the stack pins none.`,
      {
        hint: "Make one with `ikoma bundle create` and name it with --bundle.",
      },
    );
  }
  const { manifest } = await readBundle(reference);
  if (partsOfBundle(manifest) !== undefined) return manifest;
  throw new IkomaError(
    "USAGE",
    `${reference} is no self-hosted stack of Supabase: it has no gateway, Auth and REST API.`,
  );
}

/** Another secret than the one that they are signed with would make them worthless. */
function refuseKeysAlone(known: readonly string[]): void {
  const key = keyNames.find((name) => known.includes(name));
  if (key === undefined || known.includes("JWT_SECRET")) return;
  throw new IkomaError("CONFIG_MISSING", `${key} is there, and JWT_SECRET, which has signed it, is not.`, {
    hint: "Set the JWT_SECRET that it was signed with, or take the key out and have both made.",
  });
}

/** How the engine writes what it has encrypted. */
const encrypted = z.strictObject({ secure: z.string() });
/** Of what is encrypted as one the names cannot be seen. */
const readable = z.record(z.string(), z.unknown()).refine((value) => !encrypted.safeParse(value).success);
const stackFile = z.looseObject({ config: z.looseObject({ "ikoma:secrets": readable.nullish() }) });

/** What is there must be known for certain: it would be made anew, in place of what a database is encrypted with. */
async function secretSources(path: string, app: string): Promise<Record<string, unknown>> {
  const apps = stackFile.safeParse(readYaml(await readFile(path, "utf8"), path).value);
  if (!apps.success) throw unreadable(path, "ikoma:secrets");
  const sources = readable.nullish().safeParse(apps.data.config["ikoma:secrets"]?.[app]);
  if (!sources.success) throw unreadable(path, `ikoma:secrets.${app}`);
  return sources.data ?? {};
}

function unreadable(path: string, key: string): IkomaError {
  return new IkomaError("CONFIG_INVALID", `${path}: which secrets are there cannot be seen in ${key}.`, {
    hint: "Set each one on its own: `pulumi config set --secret --path 'ikoma:secrets.APP.NAME'`.",
  });
}

async function jwtSecretOf(place: StackPlace, app: string, source: unknown): Promise<string | undefined> {
  if (source === undefined) return undefined;
  const path = secretPath(app, "JWT_SECRET");
  if (encrypted.safeParse(source).success) return readStackSecret(place, path);
  const read = secretsConfig.safeParse({ [app]: { JWT_SECRET: source } });
  if (!read.success) throw new IkomaError("CONFIG_INVALID", `${path}: ${read.error.issues[0]?.message ?? "no source"}`);
  const sources = read.data[app] ?? {};
  const { JWT_SECRET: from } = sources;
  if (typeof from === "object" && "store" in from)
    throw new IkomaError("CONFIG_INVALID", `${path} is in the secret store, which is not asked here for what signs.`, {
      hint: `Put ${keyNames.join(" and ")}, signed with it, into the store as well, or JWT_SECRET encrypted into the stack's file.`,
    });
  return (await readSecrets(app, sources, { folder: place.workDir }))["JWT_SECRET"];
}

async function variablesOfFile(path: string | undefined): Promise<Record<string, string | undefined> | undefined> {
  if (path === undefined) return undefined;
  try {
    return parseEnv(await readFile(path, "utf8"));
  } catch (cause) {
    throw new IkomaError("USAGE", `--settings-from ${path}: the file cannot be read.`, { cause });
  }
}

async function writeSettings(path: string, app: string, env: Record<string, string>): Promise<void> {
  const text = await readFile(path, "utf8");
  await writeStackFile(path, editAppSettings(text, { app, set: { env }, remove: [] }));
}

const secretPath = (app: string, name: string): string => `ikoma:secrets.${app}.${name}`;
