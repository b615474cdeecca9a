import * as pulumi from "@pulumi/pulumi";
import type { BundleManifest } from "../src/core/bundle/manifest.ts";
import type { MigrationPolicy } from "../src/core/migrations/migration-spec.ts";
import type { BakePolicy, HealthProbe, ReleaseStrategy, SmokeCheck } from "../src/core/release/release-spec.ts";
import {
  imagesOf,
  resolveAccessories,
  resolveRelease,
  secretsUsedBy,
  strategyOf,
  type ReleaseSettings,
  type Seal,
} from "../src/core/release/resolve-release.ts";
import { reaches, type BackupPolicy } from "../src/core/backup/backup-policy.ts";
import type { AppConfig } from "../src/core/config/schema.ts";
import type { DatabaseSettings } from "../src/core/database/remote-database.ts";
import { noDatabase } from "../src/core/migrations/migration-plan.ts";
import { demandOf } from "../src/core/signing/signature-policy.ts";
import { keptSecretMarker } from "../src/core/release/kept-secrets.ts";
import type { SupabaseConfig } from "../src/core/services/supabase/supabase-config.ts";
import { DatabaseBackup } from "./database-backup.ts";
import { DatabaseMigration } from "./database-migration.ts";
import { RegistryImage } from "./registry-image.ts";
import { requiredSecret } from "./required-secret.ts";
import { Accessories } from "./resources/accessories.ts";
import { Bundle, type BundleArgs } from "./resources/bundle.ts";
import type { HostProvider } from "./resources/host-provider.ts";
import { Release } from "./resources/release.ts";
import { signedBy, type BundleSignatures } from "./signed-bundles.ts";
import { Supabase } from "./supabase.ts";

/** A release bundle that was read; `readBundle` of `src/core/bundle/bundle-store.ts` gives one. */
export interface BundleInput {
  manifest: BundleManifest;
  digest: string;
  /** Pinned reference, for a rollback. */
  reference: string;
  /**
   * Its document and who has signed that, for hosts that ask.
   * @default nobody
   */
  signed?: BundleSignatures | undefined;
}

export interface ComposeStackArgs {
  /** The host that it runs on. */
  provider: HostProvider;
  /** Name of the app on the host: lower-case letters, digits and hyphens. */
  app: string;
  bundle: BundleInput;
  /**
   * Where the long-lived services are taken from: after a rollback they stay on a newer bundle.
   * @default `bundle`
   */
  accessoriesBundle?: BundleInput | undefined;
  /** Values for the variables of the compose file. */
  env?: Readonly<Record<string, string>> | undefined;
  /** Values for its variables that are secret: whatever they are part of is kept secret too. */
  secrets?: Readonly<Record<string, pulumi.Input<string>>> | undefined;
  /** Secrets whose values are those of an earlier deployment, which the host keeps; before those of `secrets`. */
  secretsOf?: AppConfig["secretsOf"];
  /** Instead of the bundle's own. */
  health?: HealthProbe | undefined;
  /** Instead of the bundle's own. */
  smoke?: readonly SmokeCheck[] | undefined;
  /** Instead of the bundle's own. */
  drainSeconds?: number | undefined;
  /** Instead of the bundle's own. */
  strategy?: ReleaseStrategy | undefined;
  /** How the release is watched after the switch, and when it is taken back. */
  bake?: BakePolicy | undefined;
  /** How long migrations of the database may wait and work, and what guards its data. */
  migrationPolicy?: MigrationPolicy | undefined;
  /**
   * The database that the migrations are for, with the name of the secret that its URL is.
   * @default the accessory that the bundle names
   */
  database?: DatabaseSettings | undefined;
  /** How many good deployments stay ready for a rollback. */
  keep?: number | undefined;
  /** For the history: why it was deployed. */
  note?: string | undefined;
  /** Deploy although this bundle was taken back, by a rollback or for a failed bake. */
  redeploy?: boolean | undefined;
  /** Number of the deployment that this is a rollback to. */
  rollbackTo?: number | undefined;
  /**
   * Refuse to delete the accessories resource, and the release, which the engine would take away first. The volumes
   * stay on the host in any case.
   * @default true
   */
  protectAccessories?: boolean | undefined;
  /** How the database among its long-lived services is backed up, before each release and by a schedule. */
  backup?: BackupPolicy | undefined;
  /** The Supabase that it works with, which has to be as its settings say before migrations and release. */
  supabase?: SupabaseConfig | undefined;
  /**
   * Make a `RegistryImage` for each image of the app's own services: it is looked for before anything is changed, and
   * at each plan. The images stay in the registry in any case.
   * @default false
   */
  checkImages?: boolean | undefined;
  /**
   * Deploy only what a key of the host has signed, even if the host does not insist.
   * @default in a stack named `prod`, once the host knows keys
   */
  requireSignature?: boolean | undefined;
}

/** A compose file, deployed from its bundle: images staged, then long-lived services, Supabase, migrations, then the release. */
export class ComposeStack extends pulumi.ComponentResource {
  readonly release: Release;
  readonly accessories: Accessories | undefined;
  readonly migration: DatabaseMigration | undefined;

  constructor(name: string, args: ComposeStackArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("ikoma:index:ComposeStack", name, {}, options);
    const child = { parent: this, provider: args.provider };
    const settings = settingsOf(args);
    const seal = sealWith(args.secrets ?? {});
    const before = options.dependsOn === undefined ? {} : { dependsOn: options.dependsOn };
    const checked = args.checkImages === true ? checkedImages(name, args, { parent: this, ...before }) : [];
    const stagedAfter = checked.length === 0 ? before : { dependsOn: checked };
    const staged = new Bundle(name, stagedBy(args), { ...child, ...stagedAfter });
    const lasting = resolveAccessories(accessoriesBundle(args).manifest, settings, seal);
    const protect = (args.protectAccessories ?? true) && lasting !== undefined;
    this.accessories =
      lasting &&
      new Accessories(name, { ...lasting, ...originOf(args, settings) }, { ...child, protect, dependsOn: [staged] });
    const dependsOn: pulumi.Resource[] = this.accessories === undefined ? [staged] : [staged, this.accessories];
    if (args.backup !== undefined)
      dependsOn.push(backupBefore(name, args.backup, args, { parent: this, dependsOn: [...dependsOn] }));
    if (args.supabase !== undefined)
      dependsOn.push(supabaseBefore(name, args.supabase, args, { parent: this, dependsOn: [...dependsOn] }));
    this.migration = migrationOf(name, args, { parent: this, dependsOn: [...dependsOn] });
    dependsOn.push(...(this.migration?.resources ?? []));
    this.release = new Release(name, releaseArgs(args), { ...child, protect, dependsOn });
    this.registerOutputs({ number: this.release.number });
  }
}

function supabaseBefore(
  name: string,
  settings: SupabaseConfig,
  { provider, app, secrets, rollbackTo }: ComposeStackArgs,
  options: pulumi.ComponentResourceOptions,
): Supabase {
  const isRollback = rollbackTo !== undefined;
  return new Supabase(name, { provider, app, settings, secrets, isRollback }, options);
}

/** For what the release is to be on the host, not for what is only noted down with it. */
function backupBefore(
  name: string,
  policy: BackupPolicy,
  args: ComposeStackArgs,
  options: pulumi.ComponentResourceOptions,
): DatabaseBackup {
  const { provider, app } = args;
  const { bundle, version, services, volumes, routes, smoke, health, drainSeconds, secretsOf } = releaseArgs(args);
  const release = { bundle, version, services, volumes, routes, smoke, health, drainSeconds, secretsOf };
  const offsiteSecret =
    policy.offsite === undefined
      ? undefined
      : requiredSecret(args, policy.offsite.secret, "copies its backups elsewhere");
  const isRollback = args.rollbackTo !== undefined;
  const asked = { provider, app, policy: freshEnough(policy, args), release, isRollback, offsiteSecret };
  return new DatabaseBackup(name, asked, options);
}

/** What migrations need a backup for is not less because the settings of backups say so. */
function freshEnough(policy: BackupPolicy, { bundle, migrationPolicy }: ComposeStackArgs): BackupPolicy {
  const needed = migrationPolicy?.backupMinutes;
  if (bundle.manifest.migrations === undefined || needed === undefined) return policy;
  return { ...policy, maxAgeMinutes: Math.min(policy.maxAgeMinutes, needed) };
}

/** One for each image of the release's own services, named by app and first service that has it; `--app` goes by that. */
function checkedImages(
  name: string,
  { provider, bundle, rollbackTo }: ComposeStackArgs,
  options: pulumi.ComponentResourceOptions,
): RegistryImage[] {
  const isRollback = rollbackTo !== undefined;
  const owners = new Map<string, string>();
  for (const [service, { kind, definition }] of Object.entries(bundle.manifest.services)) {
    if (kind !== "accessory" && !owners.has(definition.image)) owners.set(definition.image, service);
  }
  return [...owners].map(
    ([image, service]) => new RegistryImage(`${name}/${service}`, { provider, image, isRollback }, { ...options }),
  );
}

/** None where the bundle says nothing of a database. */
function migrationOf(
  name: string,
  args: ComposeStackArgs,
  options: pulumi.ComponentResourceOptions,
): DatabaseMigration | undefined {
  const { provider, app, bundle, migrationPolicy: policy, backup } = args;
  const { migrations, migrationCommand } = bundle.manifest;
  if (migrations === undefined && migrationCommand === undefined) return undefined;
  if (migrations !== undefined && migrations.database === undefined && args.database === undefined)
    throw noDatabase(app);
  const remote = migrations && remoteOf(args);
  const command = migrationCommand && { ...migrationCommand, ...serviceAsRun(args, migrationCommand.service) };
  const isBackedUp =
    remote === undefined &&
    backup !== undefined &&
    reaches(backup.level, "restore") &&
    (backup.database ?? migrations?.database) === migrations?.database;
  const files = { migrations, remote, policy, isBackedUp };
  return new DatabaseMigration(name, { provider, app, bundle, command, ...files }, options);
}

function remoteOf(args: ComposeStackArgs) {
  const { database } = args;
  if (database === undefined) return undefined;
  return { ...database, url: requiredSecret(args, database.url, "has its database elsewhere") };
}

/** A service of the release with the secrets as they are now, also where the release has those of an earlier one. */
function serviceAsRun(args: ComposeStackArgs, service: string) {
  const settings = settingsOf(args);
  const { services, volumes } = resolveRelease(args.bundle.manifest, settings, sealWith(args.secrets ?? {}));
  const secrets = secretValues(args, secretsUsedBy(args.bundle.manifest, "release", settings));
  const { signed } = args.bundle;
  const isSigned = signed !== undefined && signed.signatures.length > 0;
  return { definition: services[service], volumes, secrets, ...(isSigned && { env: args.env ?? {} }) };
}

function accessoriesBundle(args: ComposeStackArgs): BundleInput {
  return args.accessoriesBundle ?? args.bundle;
}

function settingsOf(args: ComposeStackArgs, kept: readonly string[] = []): ReleaseSettings {
  const { app, env = {}, secrets = {}, health, smoke, drainSeconds, strategy } = args;
  const secretNames = [...new Set([...Object.keys(secrets), ...kept])];
  return { app, stack: pulumi.getStack(), env, secretNames, health, smoke, drainSeconds, strategy };
}

/**
 * A text that any secret goes into is a secret as a whole; the host is told nothing else. A secret that the host itself
 * is to put in has a marker there, and is none.
 */
function sealWith(
  secrets: Readonly<Record<string, pulumi.Input<string>>>,
  kept: readonly string[] = [],
): Seal<pulumi.Output<string>> {
  return (names, compute) => {
    const value = (name: string) => (kept.includes(name) ? keptSecretMarker(name) : (secrets[name] ?? ""));
    const text = pulumi.all(Object.fromEntries(names.map((name) => [name, value(name)]))).apply(compute);
    return names.every((name) => kept.includes(name)) ? text : pulumi.secret(text);
  };
}

/** Undefined for none, as it was before there were any. */
function secretValues({ secrets = {} }: ComposeStackArgs, names: readonly string[]) {
  const values = names.map((name) => [name, pulumi.secret(secrets[name] ?? "")] as const);
  return values.length === 0 ? undefined : Object.fromEntries(values);
}

function stagedBy(args: ComposeStackArgs): BundleArgs {
  const images = imagesOf(args.bundle.manifest, accessoriesBundle(args).manifest);
  const redeploy = args.redeploy === true || args.rollbackTo !== undefined;
  return {
    app: args.app,
    bundle: args.bundle.digest,
    images,
    redeploy,
    migrations: versionsOf(args),
    ...signedBy([args.bundle, accessoriesBundle(args)]),
    requireSignature: demandOf(pulumi.getStack(), args.requireSignature),
  };
}

/** Undefined for none, as it was before there were any. */
function versionsOf({ bundle }: ComposeStackArgs): string[] | undefined {
  return bundle.manifest.migrations?.files.map(({ version }) => version);
}

/** What the long-lived services are made with besides what is in their definitions. */
function originOf(args: ComposeStackArgs, settings: ReleaseSettings) {
  const { manifest, digest, signed } = accessoriesBundle(args);
  const secrets = secretValues(args, secretsUsedBy(manifest, "accessories", settings));
  if (signed === undefined || signed.signatures.length === 0) return { secrets };
  return { secrets, bundle: digest, env: args.env ?? {} };
}

function releaseArgs(args: ComposeStackArgs) {
  const { bundle, note, redeploy, rollbackTo, keep, bake, secretsOf } = args;
  const kept = secretsOf?.names ?? [];
  const settings = settingsOf(args, kept);
  const seal = sealWith(args.secrets ?? {}, kept);
  const { health, smoke, drainSeconds, ...resolved } = resolveRelease(bundle.manifest, settings, seal);
  const used = secretsUsedBy(bundle.manifest, "release", settings);
  return {
    ...resolved,
    health,
    smoke,
    drainSeconds,
    strategy: strategyOf(bundle.manifest, settings),
    bundle: bundle.digest,
    source: sourceOf(args),
    note,
    redeploy,
    rollbackTo,
    keep,
    bake,
    secrets: secretValues(
      args,
      used.filter((name) => !kept.includes(name)),
    ),
    migrations: versionsOf(args),
    // Where it has none of them, the release is as without.
    secretsOf: used.some((name) => kept.includes(name)) ? secretsOf?.deployment : undefined,
  };
}

/** What a rollback to this release puts back into the stack's configuration. */
function sourceOf({ bundle, env, health, smoke, drainSeconds, strategy }: ComposeStackArgs): Record<string, unknown> {
  const settings = { env: env ?? {}, health, smoke, drainSeconds, strategy };
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return { bundle: bundle.reference, ...Object.fromEntries(given) };
}
