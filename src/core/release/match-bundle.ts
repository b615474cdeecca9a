import type { BundleManifest } from "../bundle/manifest.ts";
import { canonicalJson } from "../canonical-json.ts";
import { toIkomaError } from "../errors.ts";
import type { MigrationCommandSpec } from "../migrations/migration-command.ts";
import { migrationKey, type MigrationSpec } from "../migrations/migration-spec.ts";
import { keptSecretMarker, keptSecretNames } from "./kept-secrets.ts";
import { accessoriesSpec, releaseSpec, type AccessoriesSpec, type ReleaseSpec } from "./release-spec.ts";
import { resolveAccessories, resolveRelease, type ReleaseSettings, type Seal } from "./resolve-release.ts";

/** Values that a release was made with: those of its environment, and its secrets by name. */
export interface GivenValues {
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * Where a release is not what its bundle becomes with these values; empty where it is just that. Everything that a
 * bundle fixes is compared: services with all their fields, volumes, routes, the version. Health probe, smoke checks
 * and draining are an environment's to say, and so is the app's name on the host.
 *
 * @param asked with markers where the host is to put in secrets that it keeps
 */
export function releaseDifferences(manifest: BundleManifest, asked: ReleaseSpec, given: GivenValues): string[] {
  return attempt(() => {
    const { settings, seal } = resolution(asked, given);
    const { services, volumes, routes, version } = resolveRelease(manifest, settings, seal);
    const wanted = releaseSpec.parse({ ...asked, services, volumes, routes, version });
    return differences("", fixed(wanted), fixed(asked));
  });
}

/** The same for the long-lived services. */
export function accessoriesDifferences(manifest: BundleManifest, asked: AccessoriesSpec, given: GivenValues): string[] {
  return attempt(() => {
    const { settings, seal } = resolution(asked, given);
    const resolved = resolveAccessories(manifest, settings, seal);
    if (resolved === undefined) return ["services (the bundle has no long-lived ones)"];
    const { services, volumes } = accessoriesSpec.parse(resolved);
    return differences("", { services, volumes }, { services: asked.services, volumes: asked.volumes });
  });
}

/** Where SQL files are not those of the bundle. One that is left out is no difference: only what is run has to be signed. */
export function migrationDifferences(
  { migrations }: Pick<BundleManifest, "migrations">,
  { database, files }: Pick<MigrationSpec, "database" | "files">,
): string[] {
  const signed = new Map((migrations?.files ?? []).map((file) => [migrationKey(file), file]));
  const found = files.flatMap((file) =>
    differences(`migrations.${migrationKey(file)}`, signed.get(migrationKey(file)), file),
  );
  return [...differences("migrations.database", migrations?.database, database), ...found];
}

/** The same for a program that migrates, with the service that it is run with. */
export function commandDifferences(
  manifest: BundleManifest,
  asked: MigrationCommandSpec,
  given: GivenValues,
): string[] {
  return attempt(() => {
    const { app, service, command, timeoutSeconds, definition, volumes } = asked;
    const { settings, seal } = resolution({ app, services: { [service]: definition } }, given);
    const resolved = resolveRelease(manifest, settings, seal);
    const wanted = {
      ...manifest.migrationCommand,
      definition: releaseSpec.shape.services.parse(resolved.services)[manifest.migrationCommand?.service ?? ""],
      volumes: releaseSpec.shape.volumes.parse(resolved.volumes),
    };
    return differences("migrations", wanted, { service, command, timeoutSeconds, definition, volumes });
  });
}

function fixed({ services, volumes, routes, version }: ReleaseSpec): Record<string, unknown> {
  return { services, volumes, routes, version };
}

function resolution(
  asked: Pick<ReleaseSpec, "app" | "services">,
  { env, secrets: given }: GivenValues,
): { settings: ReleaseSettings; seal: Seal<string> } {
  const kept = keptSecretNames(asked.services).map((name) => [name, keptSecretMarker(name)] as const);
  const secrets = { ...Object.fromEntries(kept), ...given };
  return {
    settings: { app: asked.app, stack: "", env, secretNames: Object.keys(secrets) },
    seal: (_names, compute) => compute(secrets),
  };
}

/** What cannot be made of the bundle at all is a difference too: a variable for which no value came along. */
function attempt(compare: () => string[]): string[] {
  try {
    return compare();
  } catch (thrown) {
    const { details, message } = toIkomaError(thrown);
    const variables = Array.isArray(details["variables"]) ? details["variables"].map(String) : [];
    return variables.length > 0 ? [`the values of ${variables.join(", ")}, which did not come along`] : [message];
  }
}

/** Paths, never values: those may be secret. A field that is null is as good as absent (Pulumi's engine drops nulls). */
function differences(path: string, wanted: unknown, found: unknown): string[] {
  const [a, b] = [wanted ?? undefined, found ?? undefined];
  if (isMap(a) && isMap(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
    return keys.flatMap((key) => differences(path === "" ? key : `${path}.${key}`, valueOf(a, key), valueOf(b, key)));
  }
  if (Array.isArray(a) && Array.isArray(b) && a.length === b.length)
    return a.flatMap((each, index) => differences(`${path}[${index}]`, each, b[index]));
  return a === b || (a !== undefined && b !== undefined && canonicalJson(a) === canonicalJson(b)) ? [] : [path];
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Only what is the map's own: a service may be called `constructor`. */
function valueOf(map: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}
