import * as z from "zod";
import { IkomaError } from "../errors.ts";
import { policyConfig } from "../policies/policy-config.ts";
import { storeConfig, type StoreConfig } from "../secret-store/store-config.ts";
import { explainIssues, nearestName } from "./explain-issues.ts";
import {
  appsConfig,
  hostsConfig,
  secretsConfig,
  type SecretSource,
  setupConfig,
  stackSettings,
  type AppConfig,
  type HostWay,
  type HostSetup,
  type PrepareStep,
} from "./schema.ts";

/** A stack's configuration as Pulumi hands it to a program: full keys, values as text or JSON, secrets in clear. */
export type RawConfig = Readonly<Record<string, string>>;

/** What an environment is made of. */
export interface EnvironmentConfig {
  hosts: Readonly<Record<string, HostWay>>;
  apps: Readonly<Record<string, AppConfig>>;
  /** Secret variables by app. */
  secrets: Readonly<Record<string, Readonly<Record<string, SecretSource>>>>;
  /** Undefined where the settings name none. */
  store: StoreConfig | undefined;
  /** Plan without looking at hosts. */
  offline: boolean;
}

/** What the stack `hosts` sets up. */
export interface HostsConfig {
  hosts: Readonly<Record<string, HostWay>>;
  setup: Readonly<Record<string, HostSetup>>;
  /** What is done to a host before, by name; not there for one that needs nothing. */
  prepare: Readonly<Record<string, readonly PrepareStep[]>>;
  /** Plan without looking at hosts. */
  offline: boolean;
}

const namespace = "ikoma:";
const keys = stackSettings.keyof().options;
type Key = (typeof keys)[number];

/**
 * Reads and checks the configuration of an environment.
 *
 * @throws IkomaError CONFIG_INVALID that names every wrong setting by its path.
 */
export function loadEnvironmentConfig(raw: RawConfig): EnvironmentConfig {
  refuseUnknownKeys(raw);
  const hosts = setting(raw, "hosts", hostsConfig) ?? {};
  const apps = setting(raw, "apps", appsConfig) ?? {};
  const secrets = setting(raw, "secrets", secretsConfig) ?? {};
  for (const [app, { host }] of Object.entries(apps)) {
    if (hosts[host] === undefined)
      refuse(
        [`ikoma:apps.${app}.host: there is no host "${host}" in ikoma:hosts${suggestion(host, Object.keys(hosts))}`],
        "Add the host with `ikoma host trust`.",
      );
  }
  for (const [app, values] of Object.entries(secrets)) {
    if (apps[app] === undefined)
      refuse([`ikoma:secrets.${app}: there is no app "${app}" in ikoma:apps${suggestion(app, Object.keys(apps))}`]);
    const twice = Object.keys(values).find((name) => apps[app]?.env[name] !== undefined);
    if (twice !== undefined)
      refuse([`ikoma:secrets.${app}.${twice}: has a value in ikoma:apps.${app}.env as well`], "Remove one of the two.");
  }
  checkPolicy(raw, Object.keys(apps));
  const store = setting(raw, "store", storeConfig);
  return { hosts, apps, secrets, store, offline: setting(raw, "offline", stackSettings.shape.offline) ?? false };
}

/**
 * Reads and checks the configuration of the stack `hosts`. A host without a setup gets the defaults.
 *
 * @throws IkomaError CONFIG_INVALID
 */
export function loadHostsConfig(raw: RawConfig): HostsConfig {
  refuseUnknownKeys(raw);
  checkPolicy(raw, []);
  const hosts = setting(raw, "hosts", hostsConfig) ?? {};
  const given = setting(raw, "setup", setupConfig) ?? {};
  for (const name of Object.keys(given)) {
    if (hosts[name] === undefined)
      refuse([`ikoma:setup.${name}: there is no host "${name}" in ikoma:hosts${suggestion(name, Object.keys(hosts))}`]);
  }
  const defaults = setupConfig.valueType.parse({});
  const offline = setting(raw, "offline", z.boolean()) ?? false;
  const setup: Record<string, HostSetup> = {};
  const prepare: Record<string, readonly PrepareStep[]> = {};
  for (const name of Object.keys(hosts)) {
    const { prepare: steps, ...ofAgent } = given[name] ?? defaults;
    setup[name] = ofAgent;
    if (steps.length > 0) prepare[name] = steps;
  }
  return { hosts, setup, prepare, offline };
}

/** It is kept by the provider, which has it from the engine; here it only has to be one. */
function checkPolicy(raw: RawConfig, apps: readonly string[]): void {
  const policy = setting(raw, "policy", policyConfig);
  for (const [index, { apps: named = [] }] of (policy?.windows ?? []).entries()) {
    const unknown = named.find((app) => !apps.includes(app));
    if (unknown === undefined) continue;
    refuse([
      `ikoma:policy.windows.${index}.apps: there is no app "${unknown}" in ikoma:apps${suggestion(unknown, apps)}`,
    ]);
  }
}

function setting<Schema extends z.ZodType>(raw: RawConfig, key: Key, schema: Schema): z.infer<Schema> | undefined {
  const text = raw[namespace + key];
  if (text === undefined) return undefined;
  const parsed = schema.safeParse(fromText(text));
  if (parsed.success) return parsed.data;
  return refuse(
    explainIssues(schema, parsed.error).map(
      ({ path, message }) => `${[namespace + key, ...path].join(".")}: ${message}`,
    ),
  );
}

/** Objects come as JSON; what is no JSON is a plain text. */
function fromText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function refuseUnknownKeys(raw: RawConfig): void {
  const known: readonly string[] = keys;
  const unknown = Object.keys(raw).filter(
    (key) => key.startsWith(namespace) && !known.includes(key.slice(namespace.length)),
  );
  if (unknown.length > 0)
    refuse(unknown.map((key) => `${key}: unknown setting${suggestion(key.slice(namespace.length), known)}`));
}

function suggestion(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? "" : `; did you mean "${nearest}"?`;
}

function refuse(problems: readonly string[], hint?: string): never {
  throw new IkomaError("CONFIG_INVALID", problems.join("\n"), {
    details: { problems },
    ...(hint !== undefined && { hint }),
  });
}
