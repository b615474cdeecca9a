import * as pulumi from "@pulumi/pulumi";
import { App } from "../components/app.ts";
import type { BundleInput } from "../components/compose-stack.ts";
import { HostProvider } from "../components/resources/host-provider.ts";
import { readBundle } from "../src/core/bundle/bundle-store.ts";
import { loadEnvironmentConfig, type EnvironmentConfig } from "../src/core/config/load.ts";
import { isOffline, offlineRefusal } from "../src/core/config/offline.ts";
import type { AppConfig } from "../src/core/config/schema.ts";
import { partsOfBundle } from "../src/core/services/supabase/self-hosted/stack-parts.ts";
import { variablesOfSupabase } from "../src/core/services/supabase/supabase-variables.ts";
import { readSignatures } from "../src/core/signing/signature-store.ts";
import { readSecretValues } from "./secret-values.ts";

/** What one run says besides the configuration. */
export interface EnvironmentNotes {
  /** For the history of each app, such as `rollback to #3`. */
  readonly note?: string;
  /** Deploy although a bundle was taken back. */
  readonly redeploy?: boolean;
  /** Number of the deployment that the app goes back to. */
  readonly rollbackTo?: number;
  /** The run is for this app (`--target`): of the others the engine keeps what it has, whatever is said of them here. */
  readonly onlyApp?: string;
}

/** An environment: the apps of `ikoma:apps`, each on its host. Exports `apps`, by name. */
export async function environment(notes: EnvironmentNotes = {}): Promise<Record<string, unknown>> {
  return { apps: await deployApps(loadEnvironmentConfig(pulumi.runtime.allConfig()), notes) };
}

/** What the settings of apps do not say. */
export interface AppExtras {
  /** Name of the secret with the certificate of its domains: PEM chain and private key. */
  readonly certificate: string;
  /** More variables of its compose file, treated as secrets are. */
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * Every app that has a bundle, on its host.
 *
 * @returns what is exported of each, by name
 */
export async function deployApps(
  config: EnvironmentConfig,
  { onlyApp, ...notes }: EnvironmentNotes,
  extras: Readonly<Record<string, AppExtras>> = {},
): Promise<Record<string, unknown>> {
  const offline = config.offline || isOffline(process.env);
  if (offline && !pulumi.runtime.isDryRun()) throw offlineRefusal();
  const deployable = Object.entries(config.apps).filter(([, app]) => app.bundle !== undefined);
  const reading = readBundles(deployable.map(([, app]) => app));
  const isMeant = (name: string): boolean => onlyApp === undefined || onlyApp === name;
  const [bundles, secrets] = await Promise.all([
    reading,
    readSecretValues({ ...config, offline }, deployable, { bundles: reading, isMeant }),
  ]);
  const providers = hostProviders(
    config,
    deployable.map(([, app]) => app.host),
  );
  const apps: Record<string, unknown> = {};
  for (const [name, app] of deployable) {
    const wanted = { name, app, secrets: secrets[name] ?? {}, extras: extras[name], notes, bundles };
    // Of an app that the run is not for, not every secret was looked up.
    if (isMeant(name) && notes.rollbackTo === undefined) await refuseUnsafe(wanted);
    const deployed = deployApp({ ...wanted, provider: found(providers, app.host) });
    apps[name] = { ...deployed.exports, host: app.host };
  }
  return apps;
}

interface Deployable {
  name: string;
  app: AppConfig;
  secrets: Readonly<Record<string, string>>;
  extras: AppExtras | undefined;
  notes: Omit<EnvironmentNotes, "onlyApp">;
  bundles: ReadonlyMap<string, BundleInput>;
  provider: HostProvider;
}

/** Settings of a Supabase that runs on the host itself; what judges them is loaded where there is one. */
async function refuseUnsafe({ name, app, secrets, bundles }: Omit<Deployable, "provider">): Promise<void> {
  if (partsOfBundle(found(bundles, app.bundle ?? "").manifest) === undefined) return;
  const { refuseUnsafeSettings } = await import("../src/core/services/supabase/self-hosted/unsafe-settings.ts");
  refuseUnsafeSettings({ app: name, values: valuesOf(app, secrets), domains: app.domains }, Date.now());
}

function deployApp({ name, app, secrets, extras, notes, bundles, provider }: Deployable): App {
  const { domains, env, health, smoke, drainSeconds, strategy, keep, bake, migrations } = app;
  const bundle = found(bundles, app.bundle ?? "");
  const accessoriesBundle = app.accessoriesBundle === undefined ? undefined : bundles.get(app.accessoriesBundle);
  const { protectAccessories, checkImages, requireSignature, backup, database, supabase } = app;
  const secretsOf = keptOf(app, extras);
  const given = [...Object.keys(env), ...Object.keys(secrets), ...(secretsOf?.names ?? [])];
  const asked = bundle.manifest.variables.map((variable) => variable.name);
  const offered = variablesOfSupabase(supabase, { asked, given });
  return new App(name, {
    provider,
    app: name,
    bundle,
    accessoriesBundle,
    domains,
    certificatePem: extras && secrets[extras.certificate],
    env: { ...offered, ...env },
    secrets: { ...secrets, ...extras?.secrets },
    secretsOf,
    health,
    smoke,
    drainSeconds,
    strategy,
    keep,
    bake,
    migrationPolicy: migrations,
    database,
    protectAccessories,
    checkImages,
    requireSignature,
    backup,
    supabase,
    ...notes,
  });
}

/** What the program itself adds is always today's: an administrator who was taken out must not come back with old secrets. */
function keptOf({ secretsOf }: AppConfig, extras: AppExtras | undefined): AppConfig["secretsOf"] {
  if (secretsOf === undefined || extras === undefined) return secretsOf;
  return { ...secretsOf, names: secretsOf.names.filter((name) => !Object.hasOwn(extras.secrets, name)) };
}

/** What is known here: the secrets of an earlier deployment are on its host only. */
function valuesOf({ env, secretsOf }: AppConfig, secrets: Deployable["secrets"]): Record<string, string> {
  const known = Object.entries({ ...env, ...secrets }).filter(([name]) => secretsOf?.names.includes(name) !== true);
  return Object.fromEntries(known);
}

/** Every bundle that is named, read once. */
async function readBundles(apps: readonly AppConfig[]): Promise<Map<string, BundleInput>> {
  const references = new Set(
    apps.flatMap(({ bundle, accessoriesBundle }) => [bundle, accessoriesBundle]).filter((each) => each !== undefined),
  );
  const entries = [...references].map(async (reference) => [reference, await readSigned(reference)] as const);
  return new Map(await Promise.all(entries));
}

async function readSigned(reference: string): Promise<BundleInput> {
  const { document, ...bundle } = await readBundle(reference);
  return { ...bundle, signed: { document, ...(await readSignatures(bundle.reference)) } };
}

/** One provider for each host that is used. */
function hostProviders(config: EnvironmentConfig, names: readonly string[]): Map<string, HostProvider> {
  const { offline } = config;
  const entries = [...new Set(names)].flatMap((host) => {
    const connection = config.hosts[host];
    return connection === undefined ? [] : [[host, new HostProvider(host, { host, ...connection, offline })] as const];
  });
  return new Map(entries);
}

function found<T>(map: ReadonlyMap<string, T>, key: string): T {
  const value = map.get(key);
  if (value === undefined) throw new Error(`${key} was not loaded`);
  return value;
}
