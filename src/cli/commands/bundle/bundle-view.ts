import { bundleArtifact } from "../../../core/bundle/artifact.ts";
import type { BundleManifest } from "../../../core/bundle/manifest.ts";
import { factsOf, type MigrationFacts } from "../../../core/migrations/migration-spec.ts";
import type { Hook, ServiceKind } from "../../../core/release/release-spec.ts";

/** A bundle as `bundle create` and `bundle inspect` print it with `--json`; service definitions stay in its document. */
export interface BundleView extends Omit<BundleManifest, "services" | "migrations" | "apiVersion" | "kind"> {
  digest: string;
  services: Record<string, { kind: ServiceKind; reason: string; hook?: Hook; overlap?: false; image: string }>;
  /** Of each file what the lint found; the texts stay in the document as well. */
  migrations?: { database?: string | undefined; files: MigrationFacts[] };
}

/** What people and programs ask about a bundle. */
export function bundleView(manifest: BundleManifest, digest = bundleArtifact(manifest).digest): BundleView {
  const { app, version, source, volumes, routes, smoke, health, drainSeconds, strategy, variables } = manifest;
  const { migrations, migrationCommand } = manifest;
  const services = Object.entries(manifest.services).map(([name, { kind, reason, hook, overlap, definition }]) => {
    const own = { ...(hook && { hook }), ...(overlap === false && { overlap }) };
    return [name, { kind, reason, ...own, image: definition.image }] as const;
  });
  return {
    ...{ app, version, digest, volumes, routes, smoke, variables, services: Object.fromEntries(services) },
    ...(source === undefined ? {} : { source }),
    ...(health === undefined ? {} : { health }),
    ...(drainSeconds === undefined ? {} : { drainSeconds }),
    ...(strategy === undefined ? {} : { strategy }),
    ...(migrationCommand && { migrationCommand }),
    ...(migrations && { migrations: { ...migrations, files: migrations.files.map(factsOf) } }),
  };
}
