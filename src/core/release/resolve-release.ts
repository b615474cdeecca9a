import { interpolate } from "../bundle/interpolate.ts";
import { mapStrings } from "../bundle/interpolate-tree.ts";
import type { BundleManifest, BundleService } from "../bundle/manifest.ts";
import { variablesOf, variablesOfTree } from "../bundle/variables.ts";
import { settingsPath } from "../config/bridge-names.ts";
import { IkomaError } from "../errors.ts";
import type { HealthProbe, ReleaseStrategy, Route, SmokeCheck, VolumeSpec } from "./release-spec.ts";

/** What an environment adds to a bundle. */
export interface ReleaseSettings {
  /** Name of the app on the host. */
  app: string;
  /** Stack, for messages. */
  stack: string;
  env: Readonly<Record<string, string>>;
  /** Names of the variables whose values are secret. */
  secretNames: readonly string[];
  health?: HealthProbe | undefined;
  smoke?: readonly SmokeCheck[] | undefined;
  drainSeconds?: number | undefined;
  strategy?: ReleaseStrategy | undefined;
}

/**
 * Makes the secret that a text with secret variables becomes: `compute` takes the values of `names`. Where the values
 * are kept, and whether they are known yet, is the caller's matter.
 */
export type Seal<Sealed> = (
  names: readonly string[],
  compute: (values: Readonly<Record<string, string>>) => string,
) => Sealed;

/** JSON in which some texts are secrets. */
export type Sealable<Sealed> =
  Sealed | null | boolean | number | string | Sealable<Sealed>[] | { [key: string]: Sealable<Sealed> };

/** Inputs of the release resource. */
export interface ResolvedRelease<Sealed> {
  app: string;
  version: string;
  services: Record<string, Sealable<Sealed>>;
  volumes: Record<string, VolumeSpec>;
  routes: Route[];
  smoke: SmokeCheck[];
  health?: HealthProbe;
  drainSeconds?: number;
}

/** Inputs of the accessories resource. */
export interface ResolvedAccessories<Sealed> {
  app: string;
  services: Record<string, Sealable<Sealed>>;
  volumes: Record<string, VolumeSpec>;
}

/**
 * The release of a bundle in an environment: its services with every variable filled in. What the environment says of
 * health, smoke checks and draining goes before what the bundle says.
 *
 * @throws IkomaError CONFIG_MISSING that names the variables without a value; COMPOSE_INVALID
 */
export function resolveRelease<Sealed>(
  manifest: BundleManifest,
  settings: ReleaseSettings,
  seal: Seal<Sealed>,
): ResolvedRelease<Sealed> {
  const services = servicesOf(manifest, (kind) => kind !== "accessory");
  const health = settings.health ?? manifest.health;
  const drainSeconds = settings.drainSeconds ?? manifest.drainSeconds;
  return {
    app: settings.app,
    version: manifest.version,
    services: resolveServices(services, settings, seal),
    volumes: volumesOf(manifest, services),
    routes: manifest.routes,
    smoke: [...(settings.smoke ?? manifest.smoke)],
    ...(health !== undefined && { health }),
    ...(drainSeconds !== undefined && { drainSeconds }),
  };
}

/** How a release is rolled out; undefined for the usual way. It is no part of what the release is. */
export function strategyOf(
  manifest: Pick<BundleManifest, "strategy">,
  settings: Pick<ReleaseSettings, "strategy">,
): ReleaseStrategy | undefined {
  const strategy = settings.strategy ?? manifest.strategy;
  return strategy === "switch" ? undefined : strategy;
}

/**
 * The long-lived services of a bundle in an environment; undefined when it has none.
 *
 * @throws as {@link resolveRelease}
 */
export function resolveAccessories<Sealed>(
  manifest: BundleManifest,
  settings: ReleaseSettings,
  seal: Seal<Sealed>,
): ResolvedAccessories<Sealed> | undefined {
  const services = servicesOf(manifest, (kind) => kind === "accessory");
  if (Object.keys(services).length === 0) return undefined;
  return {
    app: settings.app,
    services: resolveServices(services, settings, seal),
    volumes: volumesOf(manifest, services),
  };
}

/** The images that an app needs on its host, each once: the release's own, and those of its accessories. */
export function imagesOf(release: BundleManifest, accessories: BundleManifest): string[] {
  const own = servicesOf(release, (kind) => kind !== "accessory");
  const lasting = servicesOf(accessories, (kind) => kind === "accessory");
  const images = [...Object.values(own), ...Object.values(lasting)].map(({ definition }) => definition.image);
  return [...new Set(images)].sort();
}

/** Names of the secrets that the release itself uses, or the long-lived services do. */
export function secretsUsedBy(
  manifest: BundleManifest,
  part: "release" | "accessories",
  { secretNames }: Pick<ReleaseSettings, "secretNames">,
): string[] {
  return variablesUsedBy(manifest, part).filter((name) => secretNames.includes(name));
}

/** Names of the variables, secret or not, that the release itself uses, or the long-lived services do. */
export function variablesUsedBy(manifest: BundleManifest, part: "release" | "accessories"): string[] {
  const services = servicesOf(manifest, (kind) => (kind === "accessory") === (part === "accessories"));
  return variablesOfTree(Object.values(services).map(({ definition }) => definition)).map(({ name }) => name);
}

type Services = Readonly<Record<string, BundleService>>;

function servicesOf(manifest: BundleManifest, belongs: (kind: BundleService["kind"]) => boolean): Services {
  return Object.fromEntries(Object.entries(manifest.services).filter(([, { kind }]) => belongs(kind)));
}

function resolveServices<Sealed>(
  services: Services,
  settings: ReleaseSettings,
  seal: Seal<Sealed>,
): Record<string, Sealable<Sealed>> {
  refuseMissing(services, settings);
  const fill = (text: string): Sealable<Sealed> => {
    const names = variablesOf(text)
      .map(({ name }) => name)
      .filter((name) => settings.secretNames.includes(name));
    const filled = (secrets: Readonly<Record<string, string>>): string =>
      interpolate(text, (name) => secrets[name] ?? settings.env[name]);
    return names.length === 0 ? filled({}) : seal(names, filled);
  };
  return Object.fromEntries(
    Object.entries(services).map(([name, { kind, hook, overlap, definition }]) => {
      const { environment = {}, ...rest } = definition;
      // mapStrings keeps the tree's shape and puts what `fill` answers in place of texts.
      const own = { kind, ...(hook && { hook }), ...(overlap === false && { overlap }) };
      return [name, mapStrings({ ...own, ...rest, environment }, fill) as Sealable<Sealed>];
    }),
  );
}

/** A variable without value and default would silently become an empty text, so it counts as missing. */
function refuseMissing(services: Services, { app, stack, env, secretNames }: ReleaseSettings): void {
  const definitions = Object.values(services).map(({ definition }) => definition);
  const needed = variablesOfTree(definitions).filter(({ name, default: fallback, required }) => {
    const given = env[name] !== undefined || secretNames.includes(name);
    return !given && (required || fallback === undefined);
  });
  const [first] = needed;
  if (first === undefined) return;
  const names = needed.map(({ name }) => name);
  const path = [...settingsPath(stack, app), "env", first.name].join(".");
  throw new IkomaError("CONFIG_MISSING", `${app} needs ${names.join(", ")}: no value is set in the stack ${stack}.`, {
    hint:
      `Set it: \`pulumi config set --stack ${stack} --path '${path}' VALUE\`, ` +
      `or as a secret: \`pulumi config set --stack ${stack} --secret --path 'ikoma:secrets.${app}.${first.name}'\`.`,
    details: { variables: names },
  });
}

/** The named volumes that these services mount. */
function volumesOf(manifest: BundleManifest, services: Services): Record<string, VolumeSpec> {
  const used = Object.values(services).flatMap(({ definition }) => mountedVolumes(definition["volumes"]));
  return Object.fromEntries(Object.entries(manifest.volumes).filter(([name]) => used.includes(name)));
}

function mountedVolumes(mounts: unknown): string[] {
  if (!Array.isArray(mounts)) return [];
  return mounts.flatMap((mount: unknown) =>
    typeof mount === "object" && mount !== null && "source" in mount && typeof mount.source === "string"
      ? [mount.source]
      : [],
  );
}
