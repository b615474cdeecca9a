import * as z from "zod";
import { IkomaError } from "../errors.ts";
import { policyConfig } from "../policies/policy-config.ts";
import { storeConfig, type StoreConfig } from "../secret-store/store-config.ts";
import { adminsVariable, bridgeApp, bridgeStack } from "./bridge-names.ts";
import { appOfBridge } from "./bridge.ts";
import { explainIssues, nearestName } from "./explain-issues.ts";
import {
  appsConfig,
  bridgeConfig,
  hostsConfig,
  secretsConfig,
  type SecretSource,
  setupConfig,
  stackSettings,
  type AppConfig,
  type BridgeConfig,
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

/** What the stack `bridge` is made of: an environment with one app. */
export interface BridgeStackConfig extends EnvironmentConfig {
  bridge: BridgeConfig;
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
  if (raw[`${namespace}bridge`] !== undefined)
    refuse([`ikoma:bridge: only the stack \`${bridgeStack}\` deploys the Bridge`], "Move it to Pulumi.bridge.yaml.");
  return environmentOf(raw, setting(raw, "apps", appsConfig) ?? {}, inEnvironment);
}

/**
 * Reads and checks the configuration of the stack `bridge`: an environment with one app, the Bridge itself.
 *
 * @throws IkomaError CONFIG_INVALID, CONFIG_MISSING
 */
export function loadBridgeConfig(raw: RawConfig): BridgeStackConfig {
  refuseUnknownKeys(raw);
  if (raw[`${namespace}apps`] !== undefined)
    refuse([`ikoma:apps: the stack \`${bridgeStack}\` holds the Bridge alone`], "Give the apps a stack of their own.");
  const bridge = setting(raw, "bridge", bridgeConfig);
  if (bridge === undefined)
    throw new IkomaError(
      "CONFIG_MISSING",
      "The stack `bridge` does not say what to deploy: `ikoma:bridge` is missing.",
    );
  const environment = environmentOf(raw, { [bridgeApp]: appOfBridge(bridge) }, inBridgeStack);
  const own = environment.secrets[bridgeApp] ?? {};
  for (const [path, values] of Object.entries({ "ikoma:bridge.env": bridge.env, "ikoma:secrets.bridge": own }))
    if (values[adminsVariable] !== undefined)
      refuse([`${path}.${adminsVariable}: it is made of ikoma:bridge.admins`], "Take it out.");
  if (own[bridge.certificate] !== undefined) return { ...environment, bridge };
  throw new IkomaError(
    "CONFIG_MISSING",
    `There is no certificate for ${bridge.domain}: a token would go there in clear.`,
    {
      hint: `Set it: \`cat fullchain.pem key.pem | pulumi config set --stack ${bridgeStack} --secret --path 'ikoma:secrets.bridge.${bridge.certificate}'\`.`,
    },
  );
}

/** How a stack names its apps in its settings. */
interface AppsPlace {
  readonly pathOf: (app: string) => string;
  /** The end of a sentence about an app that is not there. */
  readonly allOfThem: string;
}

const inEnvironment: AppsPlace = { pathOf: (app) => `ikoma:apps.${app}`, allOfThem: "in ikoma:apps" };
const inBridgeStack: AppsPlace = {
  pathOf: () => "ikoma:bridge",
  allOfThem: `here, where ikoma:bridge is the app "${bridgeApp}"`,
};

function environmentOf(
  raw: RawConfig,
  apps: Readonly<Record<string, AppConfig>>,
  { pathOf, allOfThem }: AppsPlace,
): EnvironmentConfig {
  const hosts = setting(raw, "hosts", hostsConfig) ?? {};
  const secrets = setting(raw, "secrets", secretsConfig) ?? {};
  for (const [app, { host }] of Object.entries(apps)) {
    if (hosts[host] === undefined)
      refuse(
        [`${pathOf(app)}.host: there is no host "${host}" in ikoma:hosts${suggestion(host, Object.keys(hosts))}`],
        "Add the host with `ikoma host trust`.",
      );
  }
  for (const [app, values] of Object.entries(secrets)) {
    if (apps[app] === undefined)
      refuse([`ikoma:secrets.${app}: there is no app "${app}" ${allOfThem}${suggestion(app, Object.keys(apps))}`]);
    const twice = Object.keys(values).find((name) => apps[app]?.env[name] !== undefined);
    if (twice !== undefined)
      refuse(
        [`ikoma:secrets.${app}.${twice}: has a value in ${pathOf(app)}.env as well`],
        "Remove one of the two; the one in `env`, where the value is a secret.",
      );
  }
  checkPolicy(raw, Object.keys(apps), allOfThem);
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
  checkPolicy(raw, [], inEnvironment.allOfThem);
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
function checkPolicy(raw: RawConfig, apps: readonly string[], allOfThem: string): void {
  const policy = setting(raw, "policy", policyConfig);
  for (const [index, { apps: named = [] }] of (policy?.windows ?? []).entries()) {
    const unknown = named.find((app) => !apps.includes(app));
    if (unknown === undefined) continue;
    refuse([
      `ikoma:policy.windows.${index}.apps: there is no app "${unknown}" ${allOfThem}${suggestion(unknown, apps)}`,
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
