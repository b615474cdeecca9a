import { requireCompatible, unknownTo } from "../../../core/migrations/migration-plan.ts";
import type { Host } from "../../host.ts";
import { rememberedMigrations } from "../migration/remembered-migrations.ts";

/** What is to come to serve, and the versions of migrations that its bundle knows. */
interface Candidate {
  readonly app: string;
  readonly bundle: string;
  readonly migrations?: readonly string[] | undefined;
}

/**
 * A release must know every migration of the phase `contract` that its database has: one that was made before it would
 * ask for what is gone.
 *
 * @throws MIGRATION_INCOMPATIBLE
 */
export function refuseIncompatible(host: Host, { app, bundle, migrations = [] }: Candidate): void {
  const applied = rememberedMigrations(host, app);
  if (applied.length > 0) requireCompatible(`The bundle ${bundle} of ${app}`, unknownTo(migrations, applied));
}
