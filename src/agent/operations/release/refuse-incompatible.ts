import { requireCompatible, unknownTo } from "../../../core/migrations/migration-plan.ts";
import type { Host } from "../../host.ts";
import type { ReleaseInput } from "../../ledger/deployments.ts";
import { rememberedMigrations } from "../migration/remembered-migrations.ts";

/**
 * A release must know every migration of the phase `contract` that its database has: one that was made before it would
 * ask for what is gone.
 *
 * @throws MIGRATION_INCOMPATIBLE
 */
export function refuseIncompatible(host: Host, { spec, migrations = [] }: ReleaseInput): void {
  const applied = rememberedMigrations(host, spec.app);
  if (applied.length > 0) requireCompatible(`${spec.app} ${spec.version}`, unknownTo(migrations, applied));
}
