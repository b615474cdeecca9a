import * as pulumi from "@pulumi/pulumi";
import type { BundleInput } from "../components/compose-stack.ts";
import { readSecrets, type SecretSources } from "../src/core/adapters/secrets/read-secrets.ts";
import type { EnvironmentConfig } from "../src/core/config/load.ts";
import type { AppConfig } from "../src/core/config/schema.ts";
import { IkomaError } from "../src/core/errors.ts";
import { secretsUsedBy } from "../src/core/release/resolve-release.ts";
import type { StoredValues, WantedSecret } from "../src/core/secret-store/read-stored-secrets.ts";

type Apps = readonly (readonly [string, AppConfig])[];

/** What decides which values a run needs. */
interface SecretNeeds {
  readonly bundles: Promise<ReadonlyMap<string, BundleInput>>;
  /** Whether the run is for the app. */
  readonly isMeant: (app: string) => boolean;
}

/** Stands for the value of an app that the run is not for: the engine does not look at it. */
const notRead = "(not read)";
/** The same for the URL of its database, which the program reads. */
const urlNotRead = "postgresql://nobody@not-read.invalid/nothing";

/**
 * The values of the apps' secrets, by app. Those that a release takes from an earlier deployment, and nothing else of
 * the app needs, are left out, and what is for apps that the run is not for is not looked up: going back works while
 * the place that values are from does not.
 *
 * @throws what `readSecrets` and `readStoredSecrets` throw
 */
export async function readSecretValues(
  { secrets, store, offline }: EnvironmentConfig,
  apps: Apps,
  { bundles, isMeant }: SecretNeeds,
): Promise<Record<string, Record<string, string>>> {
  const needed = apps.map(async ([name, app]) => {
    const all = secrets[name] ?? {};
    return [name, isMeant(name) ? await neededSources(all, app, bundles) : withoutLookups(all, app)] as const;
  });
  const sources = await Promise.all(needed);
  const stored = offline ? {} : await readStored(store, sources);
  const read = sources.map(
    async ([name, each]) => [name, await readSecrets(name, each, { offline, stored: stored[name] })] as const,
  );
  return Object.fromEntries(await Promise.all(read));
}

function withoutLookups(sources: SecretSources, { database }: AppConfig): SecretSources {
  const values = Object.entries(sources).map(([name, source]) => {
    if (typeof source === "string") return [name, source] as const;
    return [name, name === database?.url ? urlNotRead : notRead] as const;
  });
  return Object.fromEntries(values);
}

async function neededSources(
  sources: SecretSources,
  app: AppConfig,
  bundles: Promise<ReadonlyMap<string, BundleInput>>,
): Promise<SecretSources> {
  const kept = app.secretsOf?.names ?? [];
  if (kept.length === 0) return sources;
  const read = await bundles;
  const release = read.get(app.bundle ?? "")?.manifest;
  const lasting = read.get(app.accessoriesBundle ?? "")?.manifest ?? release;
  // Migrations that a program of the release runs have its secrets as they are now.
  if (release === undefined || lasting === undefined || release.migrationCommand !== undefined) return sources;
  const usedNow = [...secretsUsedBy(lasting, "accessories", { secretNames: kept }), ...namedBySettings(kept, app)];
  return Object.fromEntries(Object.entries(sources).filter(([name]) => !kept.includes(name) || usedNow.includes(name)));
}

/** Secrets that other settings of the app speak of, such as those of a storage for backups: they have today's value. */
function namedBySettings(names: readonly string[], app: AppConfig): string[] {
  const text = JSON.stringify({ ...app, secretsOf: undefined, env: undefined });
  return names.filter((name) => text.includes(JSON.stringify(name)));
}

/** The store, and what speaks with it, is only loaded where a secret is from there. */
async function readStored(
  store: EnvironmentConfig["store"],
  sources: readonly (readonly [string, SecretSources])[],
): Promise<StoredValues> {
  const wanted = sources.flatMap(([app, each]) => wantedOf(app, each));
  const [first] = wanted;
  if (first === undefined) return {};
  if (store === undefined) throw noStore(first);
  const { readStoredSecrets } = await import("../src/core/secret-store/read-stored-secrets.ts");
  return readStoredSecrets({ config: store, environment: store.environment ?? pulumi.getStack() }, wanted);
}

function wantedOf(app: string, sources: SecretSources): WantedSecret[] {
  return Object.entries(sources).flatMap(([variable, source]) => {
    if (typeof source === "string" || !("store" in source)) return [];
    const { store, version } = source;
    return [{ app, variable, name: store === true ? variable : store, version }];
  });
}

function noStore({ app, variable }: WantedSecret): IkomaError {
  return new IkomaError(
    "CONFIG_MISSING",
    `ikoma:secrets.${app}.${variable} is from the secret store, and \`ikoma:store\` is not set.`,
    { hint: "Say in the settings whose values count and who reads: see the guide docs/guides/secret-store.md." },
  );
}
