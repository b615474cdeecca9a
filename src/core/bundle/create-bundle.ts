import { resolve } from "node:path";
import * as z from "zod";
import type { RegistryOptions } from "../adapters/registry/endpoint.ts";
import { IkomaError } from "../errors.ts";
import { appExtension, parseExtension } from "./compose/extension.ts";
import { findCompose } from "./compose/compose-command.ts";
import { activeServices, readComposeModel } from "./compose/compose-model.ts";
import type { ComposeFiles, ComposeService } from "./compose/compose-model.ts";
import { Findings } from "./compose/findings.ts";
import { refuseIncludedValues } from "./compose/included-env.ts";
import { readLocalTexts } from "./compose/local-texts.ts";
import { withComposeFiles } from "./compose/generated-compose.ts";
import { migrationPlanOf } from "./compose/migrations-extension.ts";
import { warnOfNamelessData } from "./compose/nameless-data.ts";
import { normaliseProject, pinnedService } from "./compose/normalise.ts";
import type { NormalisedProject } from "./compose/normalise.ts";
import { readServiceFiles } from "./compose/service-files.ts";
import { asSupabaseStack } from "./compose/supabase-stack.ts";
import { refusedFindings } from "../migrations/migration-plan.ts";
import { migrationKey, type MigrationFile } from "../migrations/migration-spec.ts";
import { resolveImages } from "./image-digests.ts";
import { bundleManifest } from "./manifest.ts";
import type { BundleManifest } from "./manifest.ts";
import { readMigrations } from "./read-migrations.ts";
import { variablesOfTree } from "./variables.ts";

/** What a bundle is made from. */
export interface CreateBundleOptions {
  app: string;
  /** Label for people: a version, a tag. */
  version: string;
  /** Compose files, later ones on top. @default the usual names in the project's folder */
  files?: readonly string[];
  /** Folder that paths in the files start from. @default that of the first file */
  projectDirectory?: string;
  /** Compose profiles that are on. */
  profiles?: readonly string[];
  /** Service → image (`repository:tag` or `repository@sha256:…`), for those that are built. */
  images?: Readonly<Record<string, string>>;
  /** `env_file`s whose values are put into the bundle; of all others only the names are. */
  includeEnvFiles?: readonly string[];
  source?: BundleManifest["source"];
  registry?: RegistryOptions;
  /** Told what the author should know, and may be as intended. */
  onWarning?: (message: string) => void;
}

/**
 * Makes a release bundle from an ordinary compose file, or the one that a recognised project would have: read by
 * compose itself, split into what a release replaces and what lives on, every image by digest, no value of any
 * environment in it.
 *
 * @throws IkomaError COMPOSE_MISSING, COMPOSE_INVALID, COMPOSE_UNSUPPORTED (all reasons at once), IMAGE_NOT_FOUND,
 *   MIGRATIONS_INVALID, REGISTRY_UNREACHABLE, REGISTRY_AUTH, USAGE; PROJECT_UNKNOWN where there is nothing to make it
 *   from.
 */
export function createBundle(options: CreateBundleOptions): Promise<BundleManifest> {
  return withComposeFiles(options, (project) => bundleOf(options, project));
}

async function bundleOf(options: CreateBundleOptions, project: ComposeFiles): Promise<BundleManifest> {
  const compose = await findCompose();
  const read = await readComposeModel(compose, project);
  await refuseIncludedValues(compose, project, read);
  const findings = new Findings();
  const active = activeServices(read, options.profiles ?? []);
  const { model, services } = asSupabaseStack({ model: read, services: active }, findings);
  const images = options.images ?? {};
  expectServices(Object.keys(images), services);
  const included = (options.includeEnvFiles ?? []).map((file) => resolve(file));
  const { projectDirectory } = project;
  const fileVariables = await readServiceFiles(compose, services, { projectDirectory, included });
  const texts = await readLocalTexts(model, services, projectDirectory);
  const normalised = normaliseProject({ model, services, images, fileVariables, texts }, findings);
  warnOfNamelessData(services, normalised.services, findings);
  const asked = parseExtension(appExtension, model["x-ikoma"], "x-ikoma").migrations;
  const plan = asked && migrationPlanOf(asked, normalised.services, findings);
  for (const warning of findings.warnings) options.onWarning?.(warning);
  findings.throwIfRefused();
  const migrations = await migrationsOf(plan, projectDirectory);
  for (const warning of warningsOf(migrations)) options.onWarning?.(warning);
  const whole = { ...normalised, migrations, migrationCommand: plan?.migrationCommand };
  return assemble(options, whole, await digestsOf(normalised, options.registry ?? {}));
}

const noDatabaseInFile =
  "The file has migrations and no PostgreSQL accessory: each environment has to say where the database is (`database` of the app's settings).";

async function migrationsOf(
  { folder, database }: ReturnType<typeof migrationPlanOf> = {},
  projectDirectory: string,
): Promise<BundleManifest["migrations"]> {
  if (folder === undefined) return undefined;
  const files = await readMigrations(resolve(projectDirectory, folder), folder);
  return { ...(database !== undefined && { database }), files };
}

function expectServices(names: readonly string[], services: Readonly<Record<string, ComposeService>>): void {
  const unknown = names.find((name) => !Object.hasOwn(services, name));
  if (unknown === undefined) return;
  throw new IkomaError("USAGE", `--image ${unknown}=…: there is no service ${unknown}.`, {
    hint: `Services are: ${Object.keys(services).sort().join(", ")}.`,
  });
}

/** What an environment has to add to them, and what of them would be refused. */
function warningsOf(migrations: BundleManifest["migrations"]): string[] {
  if (migrations === undefined) return [];
  const missing = migrations.database === undefined ? [noDatabaseInFile] : [];
  return [...missing, ...migrations.files.flatMap(refusedInWords)];
}

/** Refused when it is to be run, unless the database has it already. */
function refusedInWords(file: MigrationFile): string[] {
  return refusedFindings(file).map(
    ({ line, rule, message }) => `${migrationKey(file)}.sql:${line} will not be run, for ${rule}: ${message}`,
  );
}

function digestsOf({ services }: NormalisedProject, registry: RegistryOptions): Promise<Map<string, string>> {
  return resolveImages(new Map([...services].map(([name, { image }]) => [name, image])), registry);
}

function assemble(
  { app, version, source }: CreateBundleOptions,
  {
    services,
    migrations,
    migrationCommand,
    ...rest
  }: NormalisedProject & Pick<BundleManifest, "migrations" | "migrationCommand">,
  digests: ReadonlyMap<string, string>,
): BundleManifest {
  const entries = [...services].map(
    ([name, service]) => [name, pinnedService(service, digests.get(name) ?? "")] as const,
  );
  const pinned = Object.fromEntries(entries);
  const parsed = bundleManifest.safeParse({
    apiVersion: "ikoma.dev/v1",
    kind: "Bundle",
    app,
    version,
    ...(source === undefined ? {} : { source: withoutLogin(source) }),
    services: pinned,
    ...rest,
    ...(migrations && { migrations }),
    ...(migrationCommand && { migrationCommand }),
    variables: variablesOfTree(entries.map(([, { definition }]) => definition)),
  });
  if (parsed.success) return parsed.data;
  throw new IkomaError("COMPOSE_INVALID", `The bundle cannot be made:\n${z.prettifyError(parsed.error)}`, {
    hint: "Correct the app's name, the version, or the named setting of the compose file.",
  });
}

/** CI clones by `https://x-access-token:ghs_…@github.com/…`. */
function withoutLogin(source: NonNullable<BundleManifest["source"]>): BundleManifest["source"] {
  const { repository } = source;
  return repository === undefined
    ? source
    : { ...source, repository: repository.replace(/^([a-z+]+:\/\/)[^/]*@/i, "$1") };
}
